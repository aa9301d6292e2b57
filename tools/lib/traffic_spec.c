/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What to send, from text. Knows no kernel; reads one file, a list of sources. */
#include "traffic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"

static const char *const template_names[] = {
	[V4_UDP] = "v4-udp", [V4_SYN] = "v4-syn", [V4_ACK] = "v4-ack",
	[V6_UDP] = "v6-udp", [V6_SYN] = "v6-syn", [V6_ACK] = "v6-ack",
};
_Static_assert(ARRAY_SIZE(template_names) == TRAFFIC_TEMPLATES, "every template has a name");

void traffic_spec_default(struct traffic_spec *ret)
{
	*ret = (struct traffic_spec){
		.name = "flow",
		.sport = 40000,
		.sports = 1,
		.dport = 9,
		.share = 1,
	};
}

static int number(const char *text, uint32_t least, uint32_t most, uint32_t *ret)
{
	unsigned long value;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || value < least || value > most)
		return -EINVAL;
	*ret = value;
	return 0;
}

static int number16(const char *text, uint32_t least, uint32_t most, uint16_t *ret)
{
	uint32_t value;
	int r = number(text, least, most, &value);

	if (!r)
		*ret = value;
	return r;
}

static int set_template(struct traffic_spec *spec, const char *value)
{
	for (uint32_t i = 0; i < TRAFFIC_TEMPLATES; i++) {
		if (strcmp(value, template_names[i]))
			continue;
		spec->template = i;
		return 0;
	}
	return -EINVAL;
}

/* COUNT:CIDR:LENGTH, so many prefixes of that length inside another one. */
static int set_scatter(struct traffic_spec *spec, const char *value)
{
	const char *cidr = strchr(value, ':'), *len = strrchr(value, ':');
	char count[12] = "";
	uint32_t most;

	if (!cidr || len == cidr || cidr - value >= (long)sizeof(count))
		return -EINVAL;
	memcpy(count, value, (size_t)(cidr - value));
	cidr++;
	if (prefix_parse(cidr, (size_t)(len - cidr), &spec->src) || spec->src.family != 4)
		return -EINVAL;
	if (number(len + 1, spec->src.len + 1u, 32, &most))
		return -EINVAL;
	spec->scatter_len = most;
	most -= spec->src.len;
	spec->source = SOURCE_SCATTERED;
	return number(count, 1, most < 32 ? 1u << most : UINT32_MAX, &spec->scattered);
}

static int set_src(struct traffic_spec *spec, const char *value)
{
	if (!strncmp(value, "scatter:", 8))
		return set_scatter(spec, value + 8);
	spec->source = SOURCE_ROTATE;
	if (!strncmp(value, "random", 6)) {
		spec->source = SOURCE_RANDOM;
		if (!value[6])
			value = "random:1.0.0.0/8";
		if (value[6] != ':')
			return -EINVAL;
		value += 7;
	}
	return prefix_parse(value, strlen(value), &spec->src) ? -EINVAL : 0;
}

static int set_dst(struct traffic_spec *spec, const char *value)
{
	struct prefix prefix;

	if (prefix_parse(value, strlen(value), &prefix) ||
	    prefix.len != (prefix.family == 4 ? 32 : 128))
		return -EINVAL;
	spec->dst = prefix;
	return 0;
}

static int list_add(struct traffic_list *list, const char *line, size_t len)
{
	struct prefix prefix;

	while (len && (line[len - 1] == ' ' || line[len - 1] == '\r'))
		len--;
	if (!len || *line == '#')
		return 0;
	if (list->count == TRAFFIC_SOURCES || prefix_parse(line, len, &prefix))
		return -EINVAL;
	if (list->count && list->family != prefix.family)
		return -EINVAL;
	list->family = prefix.family;
	if (prefix.family == 4)
		prefix.lo = prefix.hi >> 32, prefix.hi = 0;
	list->items[list->count][0] = __builtin_bswap64(prefix.hi);
	list->items[list->count++][1] = __builtin_bswap64(prefix.lo);
	return 0;
}

/* One address per line; of a longer prefix its first address is taken. */
static int set_src_list(struct traffic_spec *spec, const char *path)
{
	auto_buf struct buf text = { 0 };
	struct traffic_list list = { 0 };
	int r = file_read(path, FILE_MAX_LIST, &text);
	size_t lines = 1;

	if (r)
		return r;
	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	list.items = calloc(lines, sizeof(*list.items));
	if (!list.items)
		return -ENOMEM;
	for (size_t at = 0; at < text.len && !r;) {
		const char *line = (const char *)text.data + at;
		const char *end = memchr(line, '\n', text.len - at);
		size_t len = end ? (size_t)(end - line) : text.len - at;

		r = list_add(&list, line, len);
		at += len + 1;
	}
	if (r || !list.count) {
		free(list.items);
		return r ? r : -EINVAL;
	}
	free(spec->list.items);
	spec->list = list;
	spec->source = SOURCE_LISTED;
	return 0;
}

static int set_name(struct traffic_spec *spec, const char *value)
{
	size_t len = strlen(value);

	if (!len || len >= TRAFFIC_NAME)
		return -EINVAL;
	memcpy(spec->name, value, len + 1);
	return 0;
}

static int set_vlan(struct traffic_spec *spec, const char *value)
{
	return number16(value, 0, 4094, &spec->vlan);
}

static int set_size(struct traffic_spec *spec, const char *value)
{
	return number16(value, 0, TRAFFIC_SIZE_MAX, &spec->size);
}

static int set_sport(struct traffic_spec *spec, const char *value)
{
	return number16(value, 0, 65535, &spec->sport);
}

static int set_sports(struct traffic_spec *spec, const char *value)
{
	return number16(value, 1, 65535, &spec->sports);
}

static int set_dport(struct traffic_spec *spec, const char *value)
{
	return number16(value, 0, 65535, &spec->dport);
}

static int set_share(struct traffic_spec *spec, const char *value)
{
	return number(value, 1, TRAFFIC_SCHEDULE, &spec->share);
}

static const struct setting {
	const char *name;
	int (*set)(struct traffic_spec *spec, const char *value);
} settings[] = {
	{ "name", set_name },	      { "template", set_template }, { "vlan", set_vlan },
	{ "size", set_size },	      { "sport", set_sport },	    { "sports", set_sports },
	{ "dport", set_dport },	      { "share", set_share },	    { "src", set_src },
	{ "src-list", set_src_list }, { "dst", set_dst },
};

int traffic_spec_set(struct traffic_spec *spec, const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (!strcmp(name, settings[i].name))
			return settings[i].set(spec, value);
	return -ENOENT;
}

int traffic_spec_parse(const char *text, struct traffic_spec *spec)
{
	autofree char *copy = strdup(text);
	char *rest = copy, *item, *colon;
	int r;

	if (!copy)
		return -ENOMEM;
	colon = strchr(copy, ':');
	if (colon)
		*colon = '\0';
	r = set_name(spec, copy);
	if (r || !colon)
		return r;
	rest = colon + 1;
	while (!r && (item = strsep(&rest, ","))) {
		char *equals = strchr(item, '=');

		if (!equals)
			return -EINVAL;
		*equals = '\0';
		r = traffic_spec_set(spec, item, equals + 1);
	}
	return r;
}

void traffic_spec_free(struct traffic_spec *spec)
{
	free(spec->list.items);
	spec->list = (struct traffic_list){ 0 };
}
