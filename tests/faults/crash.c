/* Ends the process at the n-th call that changes a file system, or writes a part of its data first.
   Loaded with LD_PRELOAD; forked children arm it for themselves. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/types.h>
#include <unistd.h>

static long calls, dies_at;
static int torn;
static int armed;

void faults_arm(long at, int is_torn) { calls = 0; dies_at = at; torn = is_torn; armed = 1; }
long faults_calls(void) { return calls; }

static int now(void) {
  return armed && __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) == dies_at;
}
static void die(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define SIMPLE(name, declared, given) int name declared { REAL(name); if (now()) die(); return real given; }

SIMPLE(rename, (const char *a, const char *b), (a, b))
SIMPLE(unlink, (const char *a), (a))
SIMPLE(rmdir, (const char *a), (a))
SIMPLE(mkdir, (const char *a, mode_t m), (a, m))
SIMPLE(link, (const char *a, const char *b), (a, b))
SIMPLE(symlink, (const char *a, const char *b), (a, b))
SIMPLE(fsync, (int fd), (fd))
SIMPLE(fdatasync, (int fd), (fd))
SIMPLE(unlinkat, (int d, const char *a, int f), (d, a, f))
SIMPLE(mkdirat, (int d, const char *a, mode_t m), (d, a, m))
SIMPLE(renameat, (int d, const char *a, int e, const char *b), (d, a, e, b))
int chmod(const char *a, mode_t m) { REAL(chmod); if (now()) die(); return real(a, m); }

ssize_t write(int fd, const void *data, size_t size) {
  REAL(write);
  if (fd > 2 && now()) { if (torn && size > 1) real(fd, data, size / 2); die(); }
  return real(fd, data, size);
}

#define OPEN(name) int name(const char *path, int flags, ...) { \
  mode_t mode = 0; \
  if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); } \
  REAL(name); \
  if ((flags & (O_CREAT | O_TRUNC)) && now()) die(); \
  return real(path, flags, mode); }
OPEN(open)
OPEN(open64)
