/** The part of the address behind "#", as words: "#/sites/school-1" is ["sites", "school-1"]. What is no escape stands for itself:
 * an address that was mistyped must not keep alarms from the screen. */
export function routeOf(hash: string): string[] {
  return hash.replace(/^#\/?/, '').split('/').filter(Boolean).map((word) => {
    try {
      return decodeURIComponent(word);
    } catch {
      return word;
    }
  });
}
