/* Looking into sets. */
#include "script/vm/set_internal.h"

enum set_kind set_kind(const struct set *set)
{
	return set->kind;
}

size_t set_count(const struct set *set)
{
	return set->count;
}

enum value_kind set_key_kind(const struct set *set)
{
	return set->kind == SET_NUMBER ? VALUE_NUMBER
	    : set->kind == SET_NETWORK ? VALUE_IP
				       : VALUE_TEXT;
}

enum value_kind set_value_kind(const struct set *set, uint32_t *max)
{
	*max = set->value_max;
	return set->value_kind;
}

size_t set_regex_units(size_t n)
{
	return n < 2500 ? 10000 : 4 * n;
}

/* Every label of a domain may be looked up, each with all that is behind it. */
static uint64_t suffix_cost(const struct set *set, size_t n)
{
	return set->kind == SET_DOMAIN || set->kind == SET_ADDRESS ? n * n / 256 : 0;
}

uint64_t set_cost(const struct set *set, size_t n)
{
	if (set->kind == SET_PATTERN)
		return set->stars * (1 + n / 64) + set->regexes * (n / 64);
	return 4 + n / 64 + suffix_cost(set, n);
}

uint64_t set_cost_max(const struct set *set, size_t n)
{
	return set_cost(set, n) + set->regexes * (10 + set_regex_units(n) / 10);
}

unsigned set_narrowest(const struct set *set, bool four)
{
	return set->narrowest[four];
}

static const struct set_item *item_find(const struct set *set, slice key)
{
	if (!set->table_size)
		return NULL;
	uint64_t hash = text_hash(key);
	size_t at = hash & (set->table_size - 1);

	while (set->table[at].used) {
		if (set->table[at].hash == hash && text_equal(set->table[at].key, key, false))
			return &set->table[at];
		at = (at + 1) & (set->table_size - 1);
	}
	return NULL;
}

/* The domain itself, then ".parent" from the longest on. */
static const struct set_item *domain_find(const struct set *set, slice domain)
{
	const struct set_item *found = item_find(set, domain);

	for (size_t i = 1; !found && i < domain.n; i++)
		if (domain.p[i] == '.')
			found = item_find(set, slice_from(domain, i));
	return found;
}

/* "@dom" or "@.dom": the '@' stands before the domain in the key, but not before a parent. */
static const struct set_item *at_domain_find(const struct set *set, slice address, size_t at)
{
	const struct set_item *found = item_find(set, slice_from(address, at));
	char key[1 + 255];

	key[0] = '@';
	for (size_t i = at + 2; !found && i < address.n; i++) {
		if (address.p[i] != '.' || address.n - i > 255)
			continue;
		memcpy(key + 1, address.p + i, address.n - i);
		found = item_find(set, (slice){ key, 1 + address.n - i });
	}
	return found;
}

static const struct set_item *address_find(const struct set *set, slice address)
{
	const struct set_item *found = item_find(set, address);
	size_t at = address.n;

	while (at && address.p[at - 1] != '@')
		at--;
	if (!found && at)
		found = at_domain_find(set, address, at - 1);
	if (!found && at > 1)
		found = item_find(set, slice_head(address, at));
	return found;
}

static bool range_find(const struct set *set, const struct ip *key, struct value *found)
{
	const struct set_range *r = set->things;
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ip_compare(&r[middle].first, key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	uint32_t at = low ? (uint32_t)low - 1 : UINT32_MAX;
	while (at != UINT32_MAX && ip_compare(&r[at].last, key) < 0)
		at = r[at].parent;
	if (at != UINT32_MAX && found)
		*found = r[at].value;
	return at != UINT32_MAX;
}

static bool pattern_find(
    const struct set *set, slice text, struct set_memory *memory, struct value *found)
{
	const struct set_pattern *p = set->things;

	for (size_t i = 0; i < set->count; i++) {
		bool hit = p[i].regex ? memory && set_regex_match(p[i].regex, text, memory, NULL)
				      : text_glob(text, p[i].glob, p[i].exact);

		if (hit && found)
			*found = p[i].value;
		if (hit)
			return true;
	}
	return false;
}

bool set_find(
    const struct set *set, const struct value *key, struct set_memory *memory, struct value *found)
{
	const struct set_item *item = NULL;

	if (value_empty(key) || key->kind != set_key_kind(set))
		return false;
	switch (set->kind) {
	case SET_TEXT:
		item = item_find(set, key->text);
		break;
	case SET_DOMAIN:
		item = domain_find(set, key->text);
		break;
	case SET_ADDRESS:
		item = address_find(set, key->text);
		break;
	case SET_NUMBER: {
		struct ip as_ip = set_number_key(key->number);

		return range_find(set, &as_ip, found);
	}
	case SET_NETWORK:
		return range_find(set, &key->ip, found);
	case SET_PATTERN:
		return pattern_find(set, key->text, memory, found);
	}
	if (item && found)
		*found = item->value;
	return item != NULL;
}

bool set_extract(const struct set *set, slice text, struct set_memory *memory, slice *out)
{
	const struct set_pattern *p = set->things;

	return set->kind == SET_PATTERN && set->count && p->regex &&
	    set_regex_match(p->regex, text, memory, out);
}
