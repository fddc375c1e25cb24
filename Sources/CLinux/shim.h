// What Swift's Glibc module leaves out of Linux' headers.

// Types that both would define, such as timespec, stay Glibc's.
#pragma clang module import SwiftGlibc
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Of the kernel's interface, hidden from programs that do not ask for GNU's extensions.
#ifndef CLONE_FILES
#define CLONE_FILES 0x400
#endif
#ifndef F_SETLEASE
#define F_SETLEASE 1024
#endif
#ifndef F_SETSIG
#define F_SETSIG 10
#endif
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif
#ifndef POSIX_SPAWN_SETSID
#define POSIX_SPAWN_SETSID 0x80
#endif

static inline int clinux_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

static inline int clinux_signalfd(const sigset_t *signals) {
    return signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

// The number of the next pending signal, or -1.
static inline int clinux_next_signal(int fd) {
    struct signalfd_siginfo found;
    return read(fd, &found, sizeof found) == sizeof found ? (int)found.ssi_signo : -1;
}

static inline int clinux_name_thread(const char *name) {
    return pthread_setname_np(pthread_self(), name);
}

// Safe inside a signal handler, other than pthread_getname_np.
static inline int clinux_thread_name_begins(const char *start) {
    char name[16] = "";
    prctl(PR_GET_NAME, name);
    return strncmp(name, start, strlen(start)) == 0;
}

// The kernel sends `signal` to this process when its parent is gone.
static inline int clinux_die_with_parent(int signal) { return prctl(PR_SET_PDEATHSIG, signal); }

// Descendants of this process whose parent ends become its children, and not those of init.
static inline int clinux_adopt_orphans(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1); }

// Neither this process nor what comes of it gets rights by a file, as by its set-user-ID bit.
static inline int clinux_forgo_rights(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

// A child that has ended and that nobody has waited for; 0 when there is none, or no child at all.
static inline pid_t clinux_ended_child(void) {
    siginfo_t found = {0};
    return waitid(P_ALL, 0, &found, WEXITED | WNOHANG | WNOWAIT) == 0 ? found.si_pid : 0;
}

static inline pid_t clinux_fork(void) { return fork(); }

// Both ends close when this process becomes another program.
static inline int clinux_pipe(int ends[2]) { return (int)syscall(SYS_pipe2, ends, O_CLOEXEC); }

// Renames, but never over an existing file.
static inline int clinux_rename_noreplace(int from, const char *old, int to, const char *new) {
    return (int)syscall(SYS_renameat2, from, old, to, new, RENAME_NOREPLACE);
}

// Declared for _GNU_SOURCE only. The child has no descriptor from `first` on.
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions,
                                                    int first);
static inline int clinux_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

// Fails with EAGAIN while somebody has the file open for writing.
static inline int clinux_take_read_lease(int fd) { return fcntl(fd, F_SETLEASE, F_RDLCK); }

static inline int clinux_release_lease(int fd) { return fcntl(fd, F_SETLEASE, F_UNLCK); }

// Which signal tells that somebody wants the file: the default one would end the process.
static inline int clinux_set_lease_signal(int fd, int signal) {
    return fcntl(fd, F_SETSIG, signal);
}

// The port at which `fd` listens for tcp; -1 when it does not.
static inline int clinux_listening_port(int fd) {
    int listens = 0;
    socklen_t size = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens) return -1;
    struct sockaddr_in6 name;
    size = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &size) != 0) return -1;
    if (name.sin6_family != AF_INET && name.sin6_family != AF_INET6) return -1;
    return ntohs(name.sin6_port);  // Where sockaddr_in has it, too.
}

// The kernel drops whatever comes for the listening socket `fd`, see socket(7), SO_ATTACH_FILTER.
// Connections that were made before have no such filter.
static inline int clinux_ignore_calls(int fd) {
    struct sock_filter drop = {BPF_RET | BPF_K, 0, 0, 0};
    struct sock_fprog filter = {1, &drop};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

static void *clinux_hang_up_here(void *argument) {
    int fd = (int)(intptr_t)argument;
    if (syscall(SYS_unshare, CLONE_FILES) == 0) {
        close(fd == STDIN_FILENO ? STDOUT_FILENO : STDIN_FILENO);
    }
    for (int peer; (peer = accept(fd, NULL, NULL)) >= 0;) close(peer);
    return NULL;
}

// Hangs up on all who wait at the listening socket `fd`, which does not block from here on.
//
// To hang up takes a descriptor. One that is let go for that may be lost to libzmq's thread, which
// tries all the time and then keeps it. So a thread does it that has a table of descriptors for
// itself, with room in it. Where that is forbidden, as in some containers, it has to be quicker.
static inline void clinux_hang_up(int fd) {
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    pthread_t thread;
    void *argument = (void *)(intptr_t)fd;
    if (pthread_create(&thread, NULL, clinux_hang_up_here, argument) == 0) {
        pthread_join(thread, NULL);
    }
}

static inline int clinux_hear_calls(int fd) {
    return setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, NULL, 0);
}

static inline int clinux_thread_id(void) { return (int)syscall(SYS_gettid); }

// Raises the calling thread's nice value alone: on Linux it belongs to the thread.
static inline int clinux_nice_thread(int by) {
    errno = 0;
    return nice(by);
}
