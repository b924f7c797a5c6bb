/* fault.c - at its k-th write-like system call a process dies, or the call fails. To be preloaded; x86-64
 * Linux.
 *
 *     TOCSIN_FAULT=page:120:kill:1 LD_PRELOAD=fault.so tocsind --config …
 *
 * Every system call of the table below is stopped by a seccomp filter, wherever it comes from (also from
 * inside libc), and given to on_call() in the thread that makes it, which counts it, process-wide, and then
 * makes it from the one place the filter lets pass. TOCSIN_FAULT: a file of at least sizeof(struct page),
 * what has happened; k (0: never); how; how many calls in a row fail. In the ways that let calls fail, only
 * calls count that may fail so. The process ends with its parent.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum on { /* what a call is about */
          ON_FILE = 1,
          ON_SOCKET = 2,
          ON_WAKE = 4, /* an eventfd, a pipe: a thread rings another */
          ON_PATH = 8
};
enum does { WRITES, SENDS, SYNCS, MAKES, OPENS };

static const struct call {
    long number;
    const char *name;
    enum does does;
    signed char fd, path; /* which argument; -1: none */
} calls[] = {
    {SYS_write, "write", WRITES, 0, -1},
    {SYS_writev, "writev", WRITES, 0, -1},
    {SYS_pwrite64, "pwrite64", WRITES, 0, -1},
    {SYS_pwritev, "pwritev", WRITES, 0, -1},
    {SYS_sendto, "sendto", SENDS, 0, -1},
    {SYS_sendmsg, "sendmsg", SENDS, 0, -1},
    {SYS_sendmmsg, "sendmmsg", SENDS, 0, -1},
    {SYS_sendfile, "sendfile", SENDS, 0, -1},
    {SYS_fsync, "fsync", SYNCS, 0, -1},
    {SYS_fdatasync, "fdatasync", SYNCS, 0, -1},
    {SYS_sync_file_range, "sync_file_range", SYNCS, 0, -1},
    {SYS_ftruncate, "ftruncate", MAKES, 0, -1},
    {SYS_fallocate, "fallocate", MAKES, 0, -1},
    {SYS_open, "open", OPENS, -1, 0},
    {SYS_openat, "openat", OPENS, -1, 1},
    {SYS_creat, "creat", OPENS, -1, 0},
    {SYS_rename, "rename", MAKES, -1, 0},
    {SYS_renameat, "renameat", MAKES, -1, 1},
    {SYS_renameat2, "renameat2", MAKES, -1, 1},
    {SYS_link, "link", MAKES, -1, 1},
    {SYS_unlink, "unlink", MAKES, -1, 0},
    {SYS_unlinkat, "unlinkat", MAKES, -1, 1},
    {SYS_mkdir, "mkdir", MAKES, -1, 0},
};
#define CALLS (sizeof calls / sizeof *calls)

enum moment { FAILS, BEFORE, HALF, AFTER, LATE }; /* when it dies */

static const struct way {
    const char *name;
    enum moment moment;
    int error;
    unsigned on, does; /* sets of enum on, of 1 << enum does */
} ways[] = {
    {"kill", BEFORE, 0, ON_FILE | ON_SOCKET | ON_WAKE | ON_PATH, ~0u},
    {"half", HALF, 0, ON_FILE | ON_SOCKET | ON_WAKE | ON_PATH, ~0u},
    {"after", AFTER, 0, ON_FILE | ON_SOCKET | ON_WAKE | ON_PATH, ~0u},
    {"late", LATE, 0, ON_FILE | ON_SOCKET | ON_WAKE | ON_PATH, ~0u},
    {"EIO", FAILS, EIO, ON_FILE | ON_PATH, ~0u},
    {"ENOSPC", FAILS, ENOSPC, ON_FILE | ON_PATH, ~0u},
    {"EINTR", FAILS, EINTR, ON_FILE | ON_SOCKET | ON_PATH, ~0u},
    {"ECONNRESET", FAILS, ECONNRESET, ON_SOCKET, ~0u},
    {"EAGAIN", FAILS, EAGAIN, ON_SOCKET, 1u << WRITES | 1u << SENDS},
    {"short", FAILS, 0, ON_FILE | ON_SOCKET, 1u << WRITES | 1u << SENDS},
};

#define LATE_MS 80 /* longer than record_wait_ms: what waits for the disk no longer does */

static struct page { /* read by the harness, also after a death */
    atomic_ulong calls, hits;
    char what[480]; /* of the first hit: name, fd or -1, target */
} * page;
static const struct way *way;
static unsigned long at, times;

/* The one place from where a call passes the filter: the address behind its instruction. */
long fault_pass(long number, const long *arguments);
extern const char fault_passed[];
__asm__(".text\n"
        ".type fault_pass,@function\n"
        "fault_pass:\n"
        "    mov %rdi, %rax\n"
        "    mov %rsi, %r11\n"
        "    mov 0(%r11), %rdi\n"
        "    mov 8(%r11), %rsi\n"
        "    mov 16(%r11), %rdx\n"
        "    mov 24(%r11), %r10\n"
        "    mov 32(%r11), %r8\n"
        "    mov 40(%r11), %r9\n"
        "    syscall\n"
        ".globl fault_passed\n"
        ".hidden fault_passed\n"
        "fault_passed:\n"
        "    ret\n"
        ".size fault_pass,.-fault_pass\n");

static long pass(long number, long a, long b, long c, long d)
{
    return fault_pass(number, (const long[6]){a, b, c, d, 0, 0});
}

static enum on kind_of(const struct call *call, const long *arguments)
{
    struct stat about;
    if (call->fd < 0)
        return ON_PATH;
    if (pass(SYS_fstat, arguments[call->fd], (long)&about, 0, 0) != 0)
        return ON_WAKE;
    return S_ISREG(about.st_mode) || S_ISDIR(about.st_mode) ? ON_FILE
           : S_ISSOCK(about.st_mode)                        ? ON_SOCKET
                                                            : ON_WAKE;
}

static bool may_hit(const struct call *call, const long *arguments)
{
    if (!(way->does & 1u << call->does) || !(way->on & kind_of(call, arguments)))
        return false;
    if (way->error == ENOSPC && call->does == OPENS) /* only a new file needs room */
        return (call->number == SYS_openat ? arguments[2] : arguments[1]) & O_CREAT;
    if (way->error == EAGAIN) /* only for who asked for it */
        return pass(SYS_fcntl, arguments[0], F_GETFL, 0, 0) & O_NONBLOCK ||
               (call->does == SENDS && arguments[3] & MSG_DONTWAIT);
    return true;
}

/* "name fd target"; for the harness, which knows what is where. */
static void note(const struct call *call, const long *arguments)
{
    char link[40], target[256] = "";
    int fd = call->fd >= 0 ? (int)arguments[call->fd] : -1;
    struct sockaddr_in peer = {0};
    socklen_t size = sizeof peer;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (fd < 0)
        snprintf(target, sizeof target, "%s", (const char *)arguments[call->path]);
    else if (pass(SYS_getpeername, fd, (long)&peer, (long)&size, 0) == 0 && peer.sin_family == AF_INET)
        snprintf(target, sizeof target, "peer:%u", ntohs(peer.sin_port));
    else
        pass(SYS_readlink, (long)link, (long)target, sizeof target - 1, 0);
    snprintf(page->what, sizeof page->what, "%s %d %s", call->name, fd, target);
}

/* A part of what was to be written; -1: there is none. */
static long write_half(const struct call *call, long *arguments)
{
    long count = arguments[2];
    if (call->does == SENDS && call->number != SYS_sendto)
        return -1;
    if (call->number == SYS_writev || call->number == SYS_pwritev) {
        arguments[2] = count / 2; /* entries of the vector */
        return count < 2 ? -1 : fault_pass(call->number, arguments);
    }
    if ((call->does != WRITES && call->does != SENDS) || count < 2)
        return -1;
    arguments[2] = count / 2;
    return fault_pass(call->number, arguments);
}

static long hit(const struct call *call, long *arguments)
{
    if (atomic_fetch_add(&page->hits, 1) == 0)
        note(call, arguments);
    if (way->moment == FAILS && way->error)
        return -way->error;
    long result = -1;
    if (way->moment == LATE) /* meanwhile the other threads go on */
        pass(SYS_nanosleep, (long)&(struct timespec){.tv_nsec = LATE_MS * 1000000l}, 0, 0, 0);
    if (way->moment == HALF || way->moment == FAILS)
        result = write_half(call, arguments);
    if (way->moment == AFTER || (way->moment == FAILS && result < 0))
        result = fault_pass(call->number, arguments);
    if (way->moment != FAILS)
        pass(SYS_kill, pass(SYS_getpid, 0, 0, 0, 0), SIGKILL, 0, 0);
    return result;
}

static void on_call(int signal_number, siginfo_t *info, void *context)
{
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    long arguments[6] = {r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8], r[REG_R9]};
    const struct call *call = calls;
    while (call->number != info->si_syscall)
        call++;
    bool counts = may_hit(call, arguments);
    unsigned long k = counts ? atomic_fetch_add(&page->calls, 1) + 1 : 0;
    bool hits = at && k >= at && k < at + times;
    r[REG_RAX] = hits ? hit(call, arguments) : fault_pass(call->number, arguments);
}

/* Who blocks every signal means those from outside; ours must get through. */

static void *next(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (!function)
        abort();
    return function;
}

static const sigset_t *without_ours(const sigset_t *set, sigset_t *copy)
{
    if (!set)
        return NULL;
    *copy = *set;
    sigdelset(copy, SIGSYS);
    return copy;
}

int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    int (*real)(int, const sigset_t *, sigset_t *) = next("pthread_sigmask");
    sigset_t copy;
    return real(how, without_ours(set, &copy), old);
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    int (*real)(int, const sigset_t *, sigset_t *) = next("sigprocmask");
    sigset_t copy;
    return real(how, without_ours(set, &copy), old);
}

int sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    int (*real)(int, const struct sigaction *, struct sigaction *) = next("sigaction");
    struct sigaction copy;
    if (!action)
        return real(number, NULL, old);
    copy = *action;
    sigdelset(&copy.sa_mask, SIGSYS);
    return real(number, &copy, old);
}

static bool filter(void)
{
    const unsigned long passed = (unsigned long)fault_passed;
    const unsigned address = offsetof(struct seccomp_data, instruction_pointer);
    struct sock_filter program[9 + CALLS] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, CALLS + 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, address),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)passed, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, address + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(passed >> 32), CALLS + 1, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    for (unsigned i = 0; i < CALLS; i++)
        program[7 + i] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].number, CALLS - i, 0);
    program[7 + CALLS] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program[8 + CALLS] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    struct sock_fprog all = {.len = sizeof program / sizeof *program, .filter = program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) == 0;
}

static bool read_order(void)
{
    char file[256], how[16];
    const char *order = getenv("TOCSIN_FAULT");
    if (!order || sscanf(order, "%255[^:]:%lu:%15[^:]:%lu", file, &at, how, &times) != 4)
        return false;
    for (size_t i = 0; i < sizeof ways / sizeof *ways && !way; i++)
        way = strcmp(ways[i].name, how) == 0 ? &ways[i] : NULL;
    int fd = open(file, O_RDWR | O_CLOEXEC);
    void *memory = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    page = memory == MAP_FAILED ? NULL : memory;
    return way && page;
}

__attribute__((constructor)) static void begin(void)
{
    struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART};
    sigset_t none;
    sigemptyset(&none);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!read_order() || sigaction(SIGSYS, &action, NULL) != 0 ||
        pthread_sigmask(SIG_SETMASK, &none, NULL) != 0 || !filter()) {
        fputs("fault: TOCSIN_FAULT=page:k:how:times is not usable, or seccomp is not allowed here\n", stderr);
        _exit(97);
    }
}
