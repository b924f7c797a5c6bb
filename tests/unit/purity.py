#!/usr/bin/python3
"""core/ and codec/ stay pure: no clock, file, socket, thread, random number, global or log.

usage: purity.py LIBCORE.a LIBCODEC.a

Looks at the built objects: every symbol they need from outside must be on the list of their library, and none of them
may have a writable global. Only the objects that make and free the board may allocate in core."""
import re
import subprocess
import sys

TEXT = {"memcpy", "memmove", "memset", "memcmp", "memchr", "strcmp", "strncmp", "strlen", "strnlen", "strchr", "strstr",
        "snprintf", "strncpy", "strcpy", "strspn", "strcspn", "strrchr", "memmem", "strtol", "strtoul", "strtoull",
        "__ctype_b_loc", "strncasecmp", "strcasecmp"}
COMPILER = {"__assert_fail", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"}
HASHES = re.compile(r"crypto_(hash_sha256|auth_hmacsha256|verify)|sodium_(bin2base64|base642bin|bin2hex|hex2bin|memcmp|memzero|base64)")
ALLOCATE = {"calloc", "free"}
MATH = {"isnan", "isinf", "floor", "trunc", "lround", "llround", "modf"}
LIBRARIES = [("core", set(), re.compile(r"alarm_|board_|table_|pool_|plan_|kind_|event_|id_|mode_|role_|change_|delivery_|"
                                        r"disposition_|deadline_|trouble_|oddity_|refusal_")),
             ("codec", {"free"} | MATH, re.compile(r".*"))]
FORBIDDEN_IN_CODEC = re.compile(r"^(?:malloc|calloc|realloc|time|clock|gettimeofday|clock_gettime|localtime|gmtime|open|fopen|read|"
                                r"write|printf|fprintf|puts|socket|connect|send|recv|getenv|rand|random|"
                                r"syslog|system|fork|exec)$|^(?:pthread|uv|curl|sqlite3|randombytes)_|^MQTT|^MHD_")
SANITIZER = re.compile(r"^__(asan|ubsan|sanitizer|tsan|lsan)|^__gcov|^__start_|^__stop_")


def symbols(library):
    """(object, class, name, section) of every symbol nm prints"""
    text = subprocess.run(["nm", "--format=sysv", library], check=True, stdout=subprocess.PIPE).stdout.decode()
    current = ""
    for line in text.splitlines():
        match = re.match(r"(?:Symbols|Undefined symbols) from .*?(\w+\.c)\.o\]?:", line)
        if match:
            current = match.group(1)
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 7 and cells[0] != "Name":
            yield current, cells[2], cells[0], cells[6]


def without_fortify(name):
    """the checked variants that _FORTIFY_SOURCE puts in place: __memcpy_chk is memcpy"""
    match = re.fullmatch(r"__(?:isoc99_)?(\w+?)(_chk)?", name)
    return match.group(1) if match and match.group(2) else name


def problems(label, library, extra, own):
    for obj, kind, raw, section in symbols(library):
        name = without_fortify(raw)
        if SANITIZER.match(raw):
            continue
        if kind in "DdBbC" and not section.startswith(".data.rel.ro") and not raw.startswith((".", "__")):
            yield f"{label}/{obj}: {raw} is a writable global; state belongs into a struct"
        if kind != "U":
            continue
        if label == "codec":
            known = not FORBIDDEN_IN_CODEC.match(name)
        else:
            known = name in TEXT | COMPILER | extra or HASHES.match(name) or own.match(name)
            if name in ALLOCATE:
                known = re.match(r"(board|table)\.c", obj)
        if not known:
            yield f"{label}/{obj}: needs {raw}; {label} is pure: no clock, file, socket, thread, random number or log"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    found, seen = [], 0
    for (label, extra, own), library in zip(LIBRARIES, sys.argv[1:]):
        seen += sum(1 for s in symbols(library) if s[1] == "T")
        found += problems(label, library, extra, own)
    for line in found:
        print(line)
    if seen < 50:
        sys.exit("there is something wrong with the libraries: hardly a function in them")
    print(f"{seen} functions looked at, {len(found)} problems")
    sys.exit(1 if found else 0)


main()
