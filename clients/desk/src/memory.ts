// What this browser keeps over a reload. It may keep nothing (blocked, full): everything works without it.

export function recall(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** `text` null: forgotten. False: it is not kept. */
export function remember(name: string, text: string | null): boolean {
  try {
    if (text === null) localStorage.removeItem(name);
    else localStorage.setItem(name, text);
    return true;
  } catch {
    return false;
  }
}

/** The names of all that is kept. */
export function remembered(): string[] {
  try {
    return Object.keys(localStorage);
  } catch {
    return [];
  }
}
