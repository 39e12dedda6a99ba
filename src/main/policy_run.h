/*
 * policy_run: plays a session against a policy, without any network: `hauberk policy run`, and tests in policies.
 *
 * Facts come from the session's `given` lines; a check whose answer nobody gave fails and says which line to
 * add. What each step did is printed as it goes.
 */
#ifndef MAIN_POLICY_RUN_H
#define MAIN_POLICY_RUN_H

#include "script/policy/policy.h"

/* Runs the steps; adds what happened to out. The number of steps that failed. quiet: only failures. */
unsigned policy_play(
    const struct policy *policy, const struct step *steps, bool quiet, struct buf *out);
/* Checks and actions while a session is played. */
vm_builtin_fn policy_play_call;

#endif
