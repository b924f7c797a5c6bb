"""Puts each plausible bug of a folder into a copy of the tree, one at a time, and lets a test program look for it."""
import argparse, json, pathlib, shutil, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPIED = ["meson.build", "meson_options.txt", "daemon", "clients", "tests", "proto", "conf", "deploy", "docs"]


def quietly(*command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    return done.returncode == 0, done.stdout + done.stderr


def copy_tree(to):
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        elif (ROOT / name).exists():
            shutil.copy2(ROOT / name, to / name)


def try_defect(tree, patch, target, hunt):
    """(tries until it was found or None, the sentence that found it)"""
    good, text = quietly("patch", "-p1", "-i", str(patch), cwd=tree)
    if not good:
        return None, "the patch does not apply: " + text.strip().splitlines()[-1]
    good, text = quietly("ninja", "-C", "build", target, cwd=tree)
    found = hunt(tree / "build" / target) if good else (None, "it does not compile: " + text[-300:])
    quietly("patch", "-p1", "-R", "-i", str(patch), cwd=tree)
    return found


def main(doc, folder, target, unit, tries, hunt):
    """`hunt(program, tries)` gives (tries until it was found or None, the sentence). `unit`: what a try is called."""
    options = argparse.ArgumentParser(description=doc)
    options.add_argument("--json", action="store_true", help="one JSON object as the last line")
    options.add_argument(f"--{unit}", dest="tries", type=int, default=tries, help="how long to look for each")
    options.add_argument("names", nargs="*", help="only these")
    options = options.parse_args()
    patches = [p for p in sorted(folder.glob("*.patch")) if not options.names or p.stem in options.names]
    found = {}
    with tempfile.TemporaryDirectory(prefix="tocsin-defects-") as name:
        tree = pathlib.Path(name)
        copy_tree(tree)
        good, text = quietly("meson", "setup", "build", cwd=tree)
        good, text = quietly("ninja", "-C", "build", target, cwd=tree) if good else (good, text)
        if not good:
            sys.exit("the tree does not build:\n" + text[-2000:])
        for patch in patches:
            count, sentence = try_defect(tree, patch, target, lambda program: hunt(program, options.tries))
            found[patch.stem] = count
            print(f"{'NOT FOUND' if count is None else count:>9}  {patch.stem:30} {sentence[:120]}", flush=True)
    missed = [name for name, count in found.items() if count is None]
    print(f"{len(found)} defects, {len(missed)} not found within {options.tries} {unit}")
    if options.json:
        print(json.dumps({"defects": found, "missed": missed}))
    return 1 if missed or not found else 0
