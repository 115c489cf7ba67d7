/* SPDX-License-Identifier: MIT */
/*
 * Conditions of a rule: {key=value,...}, and whether they hold in a child's context.
 *
 * A value that is an address or a network is compared bit by bit with addresses, and with strings
 * that are addresses (so also with a string that is the same text); any other value with the text
 * that a line shows for the field. Keys are those of the output.
 */
#ifndef THL_CONFIG_CONDITION_H
#define THL_CONFIG_CONDITION_H

#include "config_text.h"

/* Reads the conditions that begin with the brace at span.s into *rule. The closing brace, or NULL
 * and an error. */
const char *thl_config_condition_read(const struct thl_config_text *t, struct thl_span span,
                                      struct thl_rule *rule);

/* "{key=value,...}", or nothing. */
void thl_config_condition_put(struct thl_buf *out, const struct thl_rule *rule);

/* Whether all of them hold in these tagged fields. */
bool thl_config_condition_hold(const struct thl_rule *rule, const void *context, size_t size);

#endif
