/* How far each remote is behind. */
#include "remote/remote.h"

#include <string.h>

static void ask(struct pond *p, const char *url, struct pond_remote_status *s, struct pond_error *why)
{
    struct remote r;
    s->txn = -1;
    s->code = remote_open(&r, url, p->info.id, false, why);
    if (s->code == POND_ENOPOND) { /* the place is there or not, but nothing was backed up: not a failure to tell */
        s->code = 0;
        s->behind = p->info.txn + 1;
        return;
    }
    if (s->code < 0)
        return;
    s->code = remote_find_tips(&r, p, why);
    if (s->code == 0) {
        s->txn = r.oplog_tip.txn;
        s->behind = p->info.txn - s->txn;
        if (s->behind >= 0)
            s->code = remote_same_history(&r, p, why);
    }
    remote_close(&r);
}

int pond_status(struct pond *p, pond_remote_status_fn *fn, void *context, struct pond_error *err)
{
    json_t *remotes = json_object_get(p->config, "remotes"), *value;
    const char *key;
    json_object_foreach(remotes, key, value) {
        struct pond_error why = {0};
        struct pond_remote_status s = {.name = key, .url = json_string_value(value)};
        if (!s.url)
            s.url = "";
        ask(p, s.url, &s, &why);
        s.message = why.message;
        int r = fn(context, &s, err);
        if (r != 0)
            return r < 0 ? r : 0;
    }
    return 0;
}
