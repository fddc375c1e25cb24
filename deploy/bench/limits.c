/* What the machine allows at most, beside which deploy/bench-limits and deploy/bench-peers set the
 * figures of a runner: its writes alone, the disk alone, libzmq alone.
 *
 *   limits writes STORE GROUP JOBS    jobs/s, GROUP jobs a commit, in a store that a runner made
 *   limits inserts STORE GROUP JOBS   the same, without their ends
 *   limits disk DIRECTORY             how much, and how fast, can be synced
 *   limits echo ENDPOINT COUNT        round trips to another process
 *   limits echo ENDPOINT COUNT sync FILE
 *                                     the same, a page of FILE synced before each answer
 *   limits echo ENDPOINT COUNT commit STORE
 *                                     the same, a job written with its end before each answer
 *
 * Each line of the output is a name, a unit and a value, with tabs between them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

static void give_up(const char *what, const char *why) {
    fprintf(stderr, "limits: %s: %s\n", what, why);
    exit(1);
}

static void check(int holds, const char *what) {
    if (!holds) give_up(what, strerror(errno));
}

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void tell(const char *name, const char *unit, double value) {
    printf("%s\t%s\t%.6g\n", name, unit, value);
    fflush(stdout);
}

static int by_value(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return difference < 0 ? -1 : difference > 0;
}

/* Nearest rank, as `millrace bench` has it; the times are in seconds and get sorted. */
static double milliseconds(double *times, int count, double share) {
    qsort(times, count, sizeof *times, by_value);
    int rank = (int)(share * count + 0.999999);
    if (rank < 1) rank = 1;
    if (rank > count) rank = count;
    return times[rank - 1] * 1e3;
}

/* The writes of the store, in its schema and with its pragmas. A statement of the runner that
 * changes belongs here as well: Sources/JobStorage/Changes.swift. */

static sqlite3 *store;

static void run(const char *script) {
    char *error = NULL;
    if (sqlite3_exec(store, script, NULL, NULL, &error) != SQLITE_OK) give_up(script, error);
}

static sqlite3_stmt *prepare(const char *sql) {
    sqlite3_stmt *statement = NULL;
    const unsigned kept = SQLITE_PREPARE_PERSISTENT;
    if (sqlite3_prepare_v3(store, sql, -1, kept, &statement, NULL) != SQLITE_OK)
        give_up(sql, sqlite3_errmsg(store));
    return statement;
}

static void step(sqlite3_stmt *statement) {
    if (sqlite3_step(statement) != SQLITE_DONE)
        give_up(sqlite3_sql(statement), sqlite3_errmsg(store));
    sqlite3_reset(statement);
}

static void bind(sqlite3_stmt *statement, int count, ...) {
    va_list values;
    va_start(values, count);
    for (int place = 1; place <= count; place++)
        sqlite3_bind_int64(statement, place, va_arg(values, int64_t));
    va_end(values);
}

struct statements {
    sqlite3_stmt *begin, *commit, *insert, *settle, *result, *count, *marks;
};

static struct statements prepare_all(void) {
    return (struct statements){
        .begin = prepare("BEGIN IMMEDIATE"),
        .commit = prepare("COMMIT"),
        .insert = prepare(
            "INSERT INTO jobs (id, state, ready_at, created_at, kind, queue, priority, timeout_ms,"
            " max_attempts, first_ms, longest_ms, parts, sort, fingerprint, frames, body, owner,"
            " checksum) VALUES (?1, 'queued', ?2, ?2, 'compute', 'default', 0, 3600000, 3, 1000,"
            " 600000, 1, ?3, ?4, 0, ?5, '', ?4)"),
        .settle = prepare(
            "UPDATE jobs SET state = 'succeeded', attempt = 1, started_at = ?2, finished_at = ?2,"
            " worker = 1 WHERE id = ?1 AND state = 'queued' AND attempt = 0 AND failures = 0"
            " AND losses = 0 AND waits_for = 0 AND is_split = 0 AND queue = 'default'"
            " AND parent_id IS NULL AND file_id IS NULL"),
        .result = prepare(
            "INSERT INTO results (job_id, attempt, format, total_bytes, duration_us, body,"
            " checksum) VALUES (?1, 1, 'json', length(?3), 7, ?3, ?2)"),
        .count = prepare(
            "UPDATE queues SET queued = queued + ?1, running = running + 0,"
            " succeeded = succeeded + ?2, failed = failed + 0, cancelled = cancelled + 0"
            " WHERE name = 'default'"),
        .marks = prepare("UPDATE marks SET highest_id = ?1, reserved_up_to = ?1"),
    };
}

/* As a checksum would be: eight bytes that no two rows share. */
static int64_t mixed(int64_t id) { return (int64_t)((uint64_t)id * 0x9E3779B97F4A7C15u); }

static void open_store(const char *path) {
    if (sqlite3_open(path, &store) != SQLITE_OK) give_up(path, sqlite3_errmsg(store));
    run("PRAGMA cell_size_check = ON; PRAGMA secure_delete = OFF; PRAGMA journal_mode = WAL;"
        "PRAGMA synchronous = FULL;"
        "PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;"
        "PRAGMA cache_size = -32768; INSERT OR IGNORE INTO queues (name) VALUES ('default');");
}

static void insert_job(struct statements *all, int64_t id, int64_t now) {
    char body[64];
    int size = snprintf(body, sizeof body, "{\"kernel\":\"echo\",\"input\":%lld}", (long long)id);
    bind(all->insert, 4, id, now, (int64_t)3252737990340507547, mixed(id));
    sqlite3_bind_text(all->insert, 5, body, size, SQLITE_STATIC);
    step(all->insert);
}

static void settle_job(struct statements *all, int64_t id, int64_t now) {
    char body[24];
    bind(all->settle, 2, id, now);
    step(all->settle);
    int size = snprintf(body, sizeof body, "%lld", (long long)id);
    bind(all->result, 2, id, mixed(id));
    sqlite3_bind_blob(all->result, 3, body, size, SQLITE_STATIC);
    step(all->result);
}

/* What each commit has once: so many jobs wait more, and so many more have ended. */
static void count_jobs(struct statements *all, int64_t waiting, int64_t ended, int64_t highest) {
    bind(all->count, 2, waiting, ended);
    step(all->count);
    bind(all->marks, 1, highest);
    step(all->marks);
}

/* As in a runner that is busy: a commit has the inserts of some jobs and the ends of others. */
static void measure_writes(const char *path, int group, int jobs, int with_ends) {
    open_store(path);
    struct statements all = prepare_all();
    int64_t now = (int64_t)time(NULL) * 1000;
    int64_t inserted = 0, settled = 0;
    double start = seconds();
    while ((with_ends ? settled : inserted) < jobs) {
        int64_t known = inserted, before = settled;
        step(all.begin);
        for (int n = 0; n < group && inserted < jobs; n++) insert_job(&all, ++inserted, now);
        while (with_ends && settled < known) settle_job(&all, ++settled, now);
        int64_t fresh = inserted - known, ended = settled - before;
        count_jobs(&all, fresh - ended, ended, inserted);
        step(all.commit);
    }
    char name[64];
    snprintf(name, sizeof name, "%s of a job, %d a commit", with_ends ? "writes" : "insert", group);
    tell(name, "jobs/s", jobs / (seconds() - start));
}

/* The disk. */

enum { chunk = 1 << 20, chunks = 128, syncs = 500, page = 4096 };

static double time_syncs(int file, double *times) {
    static char bytes[page];
    double start = seconds();
    for (int n = 0; n < syncs; n++) {
        double begin = seconds();
        check(pwrite(file, bytes, page, (off_t)n * page) == page, "write");
        check(fdatasync(file) == 0, "sync");
        times[n] = seconds() - begin;
    }
    return seconds() - start;
}

static void measure_disk(const char *directory) {
    char path[4096];
    snprintf(path, sizeof path, "%s/limits.bytes", directory);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check(file >= 0, path);

    char *bytes = malloc(chunk);
    check(bytes != NULL, "memory");
    for (int n = 0; n < chunk; n++) bytes[n] = (char)(n * 131 + (n >> 8));
    for (int each = 1; each <= chunks; each *= chunks) {
        check(ftruncate(file, 0) == 0 && fdatasync(file) == 0, "empty the file");
        double start = seconds();
        for (int n = 1; n <= chunks; n++) {
            check(write(file, bytes, chunk) == chunk, "write");
            if (n % each == 0) check(fdatasync(file) == 0, "sync");
        }
        double rate = (double)chunk * chunks / 1e6 / (seconds() - start);
        tell(each == 1 ? "synced after each MiB" : "synced after 128 MiB", "MB/s", rate);
        check(lseek(file, 0, SEEK_SET) == 0, "go to the beginning");
    }

    double times[syncs];
    time_syncs(file, times);
    tell("a page synced in place p50", "ms", milliseconds(times, syncs, 0.5));
    tell("a page synced in place p99", "ms", milliseconds(times, syncs, 0.99));
    check(ftruncate(file, 0) == 0 && fdatasync(file) == 0, "empty the file");
    time_syncs(file, times);
    tell("a page appended and synced p50", "ms", milliseconds(times, syncs, 0.5));
    tell("a page appended and synced p99", "ms", milliseconds(times, syncs, 0.99));
    unlink(path);
}

/* libzmq: a router in a child sends back what it gets, as an answer of a runner would be. */

static const char *const frames[] = {"", "MDPC01", "job.submit",
                                     "{\"kernel\":\"echo\",\"input\":1,\"wait_ms\":10000}"};

/* What is done before each answer. */
struct chore {
    const char *word, *name, *path;
};

static void answer(const char *endpoint, struct chore chore) {
    static char bytes[page];
    int syncs_page = strcmp(chore.word, "sync") == 0, commits = strcmp(chore.word, "commit") == 0;
    int file = syncs_page ? open(chore.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    check(!syncs_page || file >= 0, "open the file to sync");
    if (syncs_page) {
        for (int n = 0; n < 1024; n++) check(write(file, bytes, page) == page, "write");
        check(fdatasync(file) == 0, "sync");
    }
    struct statements all = {0};
    if (commits) {
        open_store(chore.path);
        all = prepare_all();
    }
    void *context = zmq_ctx_new(), *router = zmq_socket(context, ZMQ_ROUTER);
    check(zmq_bind(router, endpoint) == 0, endpoint);
    for (int64_t heard = 1;; heard++) {
        zmq_msg_t parts[8];
        int count = 0;
        do {
            check(count < 8, "receive so many frames");
            zmq_msg_init(&parts[count]);
            check(zmq_msg_recv(&parts[count], router, 0) >= 0, "receive");
        } while (zmq_msg_more(&parts[count++]));
        if (syncs_page) {
            check(pwrite(file, bytes, page, heard % 1024 * page) == page, "write");
            check(fdatasync(file) == 0, "sync");
        }
        if (commits) {
            int64_t now = (int64_t)time(NULL) * 1000;
            step(all.begin);
            insert_job(&all, heard, now);
            settle_job(&all, heard, now);
            count_jobs(&all, 0, 1, heard);
            step(all.commit);
        }
        for (int n = 0; n < count; n++)
            check(zmq_msg_send(&parts[n], router, n + 1 < count ? ZMQ_SNDMORE : 0) >= 0, "send");
    }
}

static double round_trip(void *dealer) {
    char bytes[256];
    size_t size;
    int more;
    double start = seconds();
    for (int n = 0; n < 4; n++)
        check(zmq_send(dealer, frames[n], strlen(frames[n]), n < 3 ? ZMQ_SNDMORE : 0) >= 0, "send");
    do {
        check(zmq_recv(dealer, bytes, sizeof bytes, 0) >= 0, "receive an answer in time");
        size = sizeof more;
        zmq_getsockopt(dealer, ZMQ_RCVMORE, &more, &size);
    } while (more);
    return seconds() - start;
}

static void measure_echo(const char *endpoint, int count, struct chore chore) {
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        answer(endpoint, chore);
    }
    void *context = zmq_ctx_new(), *dealer = zmq_socket(context, ZMQ_DEALER);
    int patience = 10000;
    zmq_setsockopt(dealer, ZMQ_RCVTIMEO, &patience, sizeof patience);
    check(zmq_connect(dealer, endpoint) == 0, endpoint);
    round_trip(dealer);

    double *times = malloc(count * sizeof *times);
    check(times != NULL, "memory");
    for (int n = 0; n < count; n++) times[n] = round_trip(dealer);
    const double shares[] = {0.5, 0.9, 0.99, 1};
    const char *const names[] = {"p50", "p90", "p99", "max"};
    for (int n = 0; n < 4; n++) {
        char name[64];
        const char *way = strncmp(endpoint, "ipc", 3) ? "tcp" : "ipc";
        snprintf(name, sizeof name, "%s round trip%s %s", way, chore.name, names[n]);
        tell(name, "ms", milliseconds(times, count, shares[n]));
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static const struct chore chores[] = {
    {"", "", NULL}, {"sync", " and one sync", NULL}, {"commit", " and one commit of a job", NULL}};

int main(int count, char **words) {
    const char *what = count > 1 ? words[1] : "";
    if (count == 5 && strcmp(what, "writes") == 0 && atoi(words[3]) > 0) {
        measure_writes(words[2], atoi(words[3]), atoi(words[4]), 1);
    } else if (count == 5 && strcmp(what, "inserts") == 0 && atoi(words[3]) > 0) {
        measure_writes(words[2], atoi(words[3]), atoi(words[4]), 0);
    } else if (count == 3 && strcmp(what, "disk") == 0) {
        measure_disk(words[2]);
    } else if ((count == 4 || count == 6) && strcmp(what, "echo") == 0 && atoi(words[3]) > 0) {
        const char *word = count == 6 ? words[4] : "";
        for (size_t n = 0; n < sizeof chores / sizeof *chores; n++) {
            if (strcmp(word, chores[n].word) != 0) continue;
            struct chore chore = chores[n];
            chore.path = count == 6 ? words[5] : NULL;
            measure_echo(words[2], atoi(words[3]), chore);
            return 0;
        }
        give_up(word, "sync or commit is what can be done before an answer");
    } else {
        give_up("usage", "writes|inserts STORE GROUP JOBS, disk DIRECTORY, "
                         "echo ENDPOINT COUNT [sync FILE|commit STORE]");
    }
    return 0;
}
