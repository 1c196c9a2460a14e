/* The names of remotes, in _pond/config.json: {"remotes": {"NAME": "URL", ...}}. */
#include "remote/remote.h"

#include <fcntl.h>
#include <string.h>

#include "base/os.h"
#include "tlogfs/handle.h"

static bool name_is_good(const char *name)
{
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return n > 0 && n <= 64 && name[n] == 0;
}

static json_t *remotes_of(struct pond *p)
{
    json_t *remotes = json_object_get(p->config, "remotes");
    if (json_is_object(remotes))
        return remotes;
    if (json_object_set_new(p->config, "remotes", json_object()) < 0)
        return NULL;
    return json_object_get(p->config, "remotes");
}

/* The lock for the moment of a change of config.json, unless p holds it already. */
static int lock_config(struct pond *p, int *fd, struct pond_error *err)
{
    *fd = -1;
    if (p->lock_fd >= 0)
        return 0;
    char *path = os_path_join(p->state_dir, "lock");
    if (!path)
        return pond_fail_nomem(err);
    int r = os_lock(path, err);
    pond_free(path);
    if (r < 0)
        return r;
    *fd = r;
    r = pond_config_load(p, p->info.role, err); /* another process may have changed it since it was opened */
    if (r < 0) {
        os_close(*fd);
        *fd = -1;
    }
    return r;
}

int remote_lookup(struct pond *p, const char *name, const char **url, struct pond_error *err)
{
    json_t *remotes = remotes_of(p);
    const char *key;
    json_t *value;
    if (!remotes)
        return pond_fail_nomem(err);
    if (!name && json_object_size(remotes) == 0)
        return pond_fail(err, POND_ENOPOND, "%s: no remote is known; add one with 'pond remote add NAME URL'", p->dir);
    if (!name && json_object_size(remotes) > 1)
        return pond_fail(err, POND_EUSAGE, "%s: there are several remotes; say which one", p->dir);
    json_object_foreach(remotes, key, value) {
        if (name && strcmp(name, key) != 0)
            continue;
        *url = json_string_value(value);
        if (!*url)
            return pond_fail(err, POND_ECORRUPT, "%s/config.json: the URL of remote '%s' is no string", p->state_dir, key);
        return 0;
    }
    return pond_fail(err, POND_ENOPOND, "%s: no remote '%s'", p->dir, name);
}

int remote_absolute_url(const char *url, char **out, struct pond_error *err)
{
    if (strstr(url, "://") || url[0] == '/') {
        *out = pond_strdup(url);
        return *out ? 0 : pond_fail_nomem(err);
    }
    return os_absolute(url, out, err);
}

static int add_locked(struct pond *p, const char *name, const char *url, struct pond_error *err)
{
    json_t *remotes = remotes_of(p);
    if (!remotes)
        return pond_fail_nomem(err);
    if (json_object_get(remotes, name))
        return pond_fail(err, POND_EEXISTS, "%s: there is a remote '%s' already", p->dir, name);
    struct remote r;
    POND_TRY(remote_open(&r, url, p->info.id, true, err));
    remote_close(&r);
    if (json_object_set_new(remotes, name, json_string(url)) < 0)
        return pond_fail(err, POND_EUSAGE, "%s: a remote's URL must be UTF-8", url);
    int e = pond_config_save(p, err);
    if (e < 0)
        json_object_del(remotes, name);
    return e;
}

int pond_remote_add(struct pond *p, const char *name, const char *url, struct pond_error *err)
{
    if (!name_is_good(name))
        return pond_fail(err, POND_EUSAGE, "'%s': a remote's name is 1 to 64 of [A-Za-z0-9._-]", name);
    int fd;
    char *absolute;
    POND_TRY(remote_absolute_url(url, &absolute, err));
    int e = lock_config(p, &fd, err);
    if (e == 0)
        e = add_locked(p, name, absolute, err);
    os_close(fd);
    pond_free(absolute);
    return e;
}

int pond_remote_remove(struct pond *p, const char *name, struct pond_error *err)
{
    int fd;
    POND_TRY(lock_config(p, &fd, err));
    int e;
    if (json_object_del(remotes_of(p), name) < 0)
        e = pond_fail(err, POND_ENOPOND, "%s: no remote '%s'", p->dir, name);
    else
        e = pond_config_save(p, err);
    os_close(fd);
    return e;
}

int remote_name_origin(struct pond *p, const char *url, struct pond_error *err)
{
    json_t *remotes = remotes_of(p);
    char *absolute;
    if (!remotes)
        return pond_fail_nomem(err);
    if (json_object_get(remotes, "origin"))
        return 0;
    POND_TRY(remote_absolute_url(url, &absolute, err));
    int e = json_object_set_new(remotes, "origin", json_string(absolute)) < 0
                ? pond_fail(err, POND_EUSAGE, "%s: a remote's URL must be UTF-8", url)
                : pond_config_save(p, err);
    pond_free(absolute);
    return e;
}

int pond_remote_list(struct pond *p, pond_remote_fn *fn, void *context, struct pond_error *err)
{
    json_t *remotes = remotes_of(p), *value;
    const char *key;
    if (!remotes)
        return pond_fail_nomem(err);
    json_object_foreach(remotes, key, value) {
        const char *url = json_string_value(value);
        int r = fn(context, key, url ? url : "", err);
        if (r != 0)
            return r < 0 ? r : 0;
    }
    return 0;
}
