/* tlogfs/config.c - _pond/config.json: what this machine knows of the pond beside the log.
 *
 *     config := {"version": 1, "pond_id": id, "role": "primary" | "replica", "remotes": {name: url, ...}, ...}
 *
 * Keys of others are kept. A missing one is made again; a damaged one is an error, for it may have said that this is a replica,
 * and where its remotes are.
 */
#include <string.h>

#include "base/os.h"
#include "tlogfs/handle.h"

#define CONFIG_MAX ((size_t)1 << 20)

static const char *role_name(enum pond_role role)
{
    return role == POND_REPLICA ? "replica" : "primary";
}

static int damaged(const char *path, const char *why, struct pond_error *err)
{
    return pond_fail_path(err, POND_ECORRUPT, path, "%s: is damaged (%s): mend it; without it this is a primary that knows no "
                          "remotes", path, why);
}

/* 1, or 0: there is none. */
static int read_config(const char *path, json_t **out, struct pond_error *err)
{
    struct pond_buf text = {0};
    struct pond_error why = {0};
    json_error_t where;
    int r = os_read_file(path, CONFIG_MAX, &text, &why);
    if (r == 0) {
        json_t *config = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &where);
        r = config != NULL ? 1 : damaged(path, where.text, err);
        *out = config;
    } else if (r == POND_ENOTFOUND) {
        r = 0;
    } else if (r == POND_ELIMIT) {
        r = damaged(path, "it is too large", err);
    } else if (err != NULL) {
        *err = why;
    }
    pond_buf_release(&text);
    return r;
}

static bool parse(const json_t *config, char id[37], enum pond_role *role)
{
    const char *id_text = json_string_value(json_object_get(config, "pond_id"));
    const char *role_text = json_string_value(json_object_get(config, "role"));
    if (id_text == NULL || strlen(id_text) != 36 || role_text == NULL)
        return false;
    if (strcmp(role_text, "primary") != 0 && strcmp(role_text, "replica") != 0)
        return false;
    memcpy(id, id_text, 37);
    *role = strcmp(role_text, "replica") == 0 ? POND_REPLICA : POND_PRIMARY;
    return true;
}

/* 1 and config, id and role; 0: there is none. */
static int load(const struct pond *p, json_t **out, char id[37], enum pond_role *role, struct pond_error *err)
{
    json_t *config = NULL;
    char *path = os_path_join(p->state_dir, "config.json");
    int r = path != NULL ? read_config(path, &config, err) : pond_fail_nomem(err);
    if (r == 1 && !parse(config, id, role)) {
        r = damaged(path, "pond_id or role is missing", err);
        json_decref(config);
    }
    if (r == 1)
        *out = config;
    pond_free(path);
    return r;
}

int pond_config_peek(const struct pond *p, char id[37], enum pond_role *role, struct pond_error *err)
{
    json_t *config = NULL;
    int r = load(p, &config, id, role, err);
    json_decref(config);
    return r;
}

int pond_config_load(struct pond *p, enum pond_role role, struct pond_error *err)
{
    char id[37] = "";
    json_t *config = NULL;
    int r = load(p, &config, id, &role, err);
    if (r < 0)
        return r;
    if (r == 0 || strcmp(id, p->info.id) != 0) {
        json_decref(config);
        config = json_pack("{s:i,s:s,s:s,s:{}}", "version", 1, "pond_id", p->info.id, "role", role_name(role),
                           "remotes");
        if (config == NULL)
            return pond_fail_nomem(err);
    }
    json_decref(p->config);
    p->config = config;
    p->info.role = role;
    return 0;
}

int pond_config_set_role(struct pond *p, enum pond_role role, struct pond_error *err)
{
    if (json_object_set_new(p->config, "role", json_string(role_name(role))) != 0)
        return pond_fail_nomem(err);
    p->info.role = role;
    return 0;
}

int pond_config_save(struct pond *p, struct pond_error *err)
{
    char *path = os_path_join(p->state_dir, "config.json");
    char *text = json_dumps(p->config, JSON_INDENT(2));
    int r = path != NULL && text != NULL ? os_replace_file(path, text, strlen(text), err) : pond_fail_nomem(err);
    json_free_t free_text;
    json_get_alloc_funcs(NULL, &free_text);
    free_text(text);
    pond_free(path);
    return r;
}
