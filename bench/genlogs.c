/* genlogs FILE SIZE [SEED]: logs as a small web service writes them, the same for the same seed: lines of an access log
 * (a skewed choice of clients, paths and browsers), of an application in JSON with request and trace ids, and of syslog, in the
 * order of their times. What an id, a size or a duration holds is random, so that the whole compresses as logs do. */
#include "gen.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *const paths[] = {
    "/", "/login", "/logout", "/api/v1/items", "/api/v1/items/%u", "/api/v1/users/%u", "/api/v1/users/%u/orders",
    "/api/v2/search?q=%u&page=2", "/static/app.js", "/static/app.css", "/static/img/%u.png", "/healthz", "/metrics",
    "/download/release-%u.tar.gz", "/favicon.ico", "/api/v1/events?since=%u",
};
static const char *const agents[] = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
    "curl/8.5.0", "python-requests/2.31.0", "Go-http-client/2.0", "kube-probe/1.29",
};
static const char *const methods[] = {"GET", "GET", "GET", "GET", "GET", "POST", "PUT", "DELETE"};
static const unsigned statuses[] = {200, 200, 200, 200, 200, 200, 304, 304, 302, 201, 204, 404, 401, 500, 503};
static const char *const levels[] = {"INFO", "INFO", "INFO", "INFO", "DEBUG", "DEBUG", "WARN", "ERROR"};
static const char *const messages[] = {
    "request done", "cache miss", "cache hit", "query took long", "token refreshed", "order accepted", "retrying upstream",
    "connection reset by peer", "session expired", "job queued", "job finished", "payload rejected: field is missing",
};
static const char *const services[] = {"gateway", "orders", "users", "search", "billing", "mailer"};
static const char *const syslogs[] = {
    "sshd[%u]: Accepted publickey for deploy from 10.4.%u.17 port %u ssh2: ED25519",
    "sshd[%u]: pam_unix(sshd:session): session opened for user deploy(uid=%u) by (uid=0) %u",
    "kernel: [%u.%06u] TCP: request_sock_TCP: Possible SYN flooding on port %u. Sending cookies.",
    "systemd[1]: Started session-%u.scope - Session %u of user deploy. %u",
    "CRON[%u]: (root) CMD (test -x /usr/sbin/anacron || run-parts --report /etc/cron.hourly) %u %u",
    "postgres[%u]: [%u-1] LOG:  checkpoint complete: wrote %u buffers; 0 WAL file(s) added",
};

static uint64_t state;

/* Small numbers are more frequent, as with clients, items and users. */
static unsigned skewed(unsigned limit)
{
    uint64_t a = gen_below(&state, limit), b = gen_below(&state, limit);
    return (unsigned)(a * b / limit);
}

static int put_path(char *out, size_t size)
{
    const char *path = paths[skewed(COUNT(paths))];
    const char *number = strstr(path, "%u");
    if (number == NULL)
        return snprintf(out, size, "%s", path);
    return snprintf(out, size, "%.*s%u%s", (int)(number - path), path, skewed(50000), number + 2);
}

static int put_line(char *out, size_t size, uint64_t time_us)
{
    unsigned seconds = (unsigned)(time_us / 1000000), day = seconds / 86400, hour = seconds / 3600 % 24,
             minute = seconds / 60 % 60, second = seconds % 60, client = skewed(20000);
    char path[128];
    put_path(path, sizeof path);
    unsigned kind = (unsigned)gen_below(&state, 10);
    if (kind < 5)
        return snprintf(out, size,
                        "203.%u.%u.%u - - [%02u/Mar/2026:%02u:%02u:%02u +0000] \"%s %s HTTP/1.1\" "
                        "%u %u \"-\" \"%s\" 0.%03u\n",
                        client % 7, client / 250, client % 250, 1 + day % 31, hour, minute, second,
                        methods[gen_below(&state, COUNT(methods))], path, statuses[gen_below(&state, COUNT(statuses))],
                        skewed(90000), agents[skewed(COUNT(agents))], skewed(1000));
    if (kind < 8) {
        uint64_t id = gen_next(&state);
        return snprintf(out, size,
                        "{\"time\":\"2026-03-%02uT%02u:%02u:%02u.%06uZ\",\"level\":\"%s\",\"service\":\"%s\",\""
                        "request_id\":\"%016" PRIx64 "\",\"user\":%u,\"path\":\"%s\","
                        "\"message\":\"%s\",\"duration_ms\":%u.%02u}\n",
                        1 + day % 31, hour, minute, second, (unsigned)(time_us % 1000000),
                        levels[gen_below(&state, COUNT(levels))], services[skewed(COUNT(services))], id, skewed(50000), path,
                        messages[skewed(COUNT(messages))], skewed(900), (unsigned)gen_below(&state, 100));
    }
    int n = snprintf(out, size, "Mar %2u %02u:%02u:%02u web-%02u ", 1 + day % 31, hour, minute, second, client % 12);
    const char *format = syslogs[gen_below(&state, COUNT(syslogs))];
    for (; *format != '\0' && (size_t)n + 16 < size; format++) {
        unsigned value = 1000 + skewed(60000);
        if (strncmp(format, "%u", 2) == 0)
            n += snprintf(out + n, size - (size_t)n, "%u", value), format++;
        else if (strncmp(format, "%06u", 4) == 0)
            n += snprintf(out + n, size - (size_t)n, "%06u", value * 16), format += 3;
        else
            out[n++] = *format;
    }
    out[n++] = '\n';
    return n;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        gen_die("usage: genlogs FILE SIZE [SEED]");
    enum { ROOM = 4096 };
    static char buffer[(1 << 20) + ROOM];
    uint64_t size = gen_size(argv[2]), time_us = 0;
    state = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    int fd = gen_create(argv[1]);
    while (size > 0) {
        size_t used = 0;
        while (used < sizeof buffer - ROOM) {
            time_us += gen_below(&state, 2000);
            used += (size_t)put_line(buffer + used, ROOM, time_us);
        }
        size_t n = size < used ? (size_t)size : used;
        gen_write(fd, argv[1], buffer, n);
        size -= n;
    }
    gen_close(fd, argv[1]);
    return 0;
}
