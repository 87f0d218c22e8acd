//! Names that users, manifests and the three identities share: group, annotations, labels, namespaces' defaults.

/// API group of all kinds.
pub const GROUP: &str = "rollcall.dev";

/// Owner annotation on a ServiceAccount: `id:hq/7`, `email:ada@example.com` (prefix optional) or
/// `user:oidc:ada@example.com`. `id:rollcall:hq/7` is read by the installation with its people in namespace `rollcall` alone.
pub const OWNER: &str = "rollcall.dev/owner";

/// `personal` or `workload`: overrides what the consumers of a ServiceAccount say.
pub const PURPOSE: &str = "rollcall.dev/purpose";

/// Who owns a ServiceAccount once its owner has left, as an owner annotation says it.
pub const BACKUP_OWNER: &str = "rollcall.dev/backup-owner";

/// The team of a ServiceAccount.
pub const TEAM: &str = "rollcall.dev/team";

/// On a Secret: what Rollcall may generate for it, such as `Generate password=Password`.
pub const ROTATE: &str = domain::rotation::ROTATE;

/// On a Secret that Rollcall generated values for: when it last did.
pub const ROTATED: &str = "rollcall.dev/rotated";

/// `true` on a pod: it reads mounted Secrets again by itself, and needs no restart when they change.
pub const RELOADS: &str = "rollcall.dev/reloads";

/// Asks for a reconcile now; echoed in `status.lastHandledReconcileAt`.
pub const REQUESTED_AT: &str = "rollcall.dev/requestedAt";

/// On a Secret: the one key that sync may write, because the source replaces what it holds with each use.
pub const ROTATES: &str = "rollcall.dev/rotates";

/// Accepts exactly one held response of an HRConnection, by its digest.
pub const ACCEPT: &str = "rollcall.dev/accept";

/// Labels on a granted RoleBinding, with `PERSON` and `PART`: the rule, the policy, and the people namespace of the installation.
pub const GRANT: &str = "rollcall.dev/grant";
/// The policy of a granted RoleBinding.
pub const POLICY: &str = "rollcall.dev/policy";
/// The people namespace that a granted RoleBinding is from.
pub const PEOPLE: &str = "rollcall.dev/people";

/// On a SyncPolicy: digests, separated by commas, of rules that many people get or lose something by at once, which a human approved.
pub const APPROVE_GRANTS: &str = "rollcall.dev/approve-grants";

/// On a SyncPolicy: many moves at once are moves, by the digest that the condition `MovesSettled` names.
pub const ACCEPT_MOVES: &str = "rollcall.dev/accept-moves";

/// On a SyncPolicy: many moves at once are none, such as a department that was renamed, by the same digest.
pub const IGNORE_MOVES: &str = "rollcall.dev/ignore-moves";

/// Asks for a new attempt of a Revocation that failed; any value it has not had before.
pub const RETRY: &str = "rollcall.dev/retry";

/// On a Revocation whose kept manifests may be lost with it: without it one that has begun and not ended well is not deleted.
pub const DISCARD: &str = "rollcall.dev/discard";

/// Label on a Revocation: the run of leavers it was counted in.
pub const RUN: &str = "rollcall.dev/run";

/// Label on a Revocation: the batch that one count held.
pub const BATCH: &str = "rollcall.dev/batch";

/// Label on a Revocation: the Person (object name) it is for.
pub const PERSON: &str = "rollcall.dev/person";

/// Label on an evidence record: uid of the Revocation it is of. One that was deleted and planned again is another.
pub const REVOCATION: &str = "rollcall.dev/revocation";

/// Label on objects that Rollcall itself keeps: `memory`, `ledger`, `evidence`, `head`, `start`, `revoke`.
pub const PART: &str = "rollcall.dev/part";

/// Label on a Job of the revoker: a digest of what Jobs were made of.
pub const SHAPE: &str = "rollcall.dev/shape";

/// Any value of this label on an object keeps the revoker away from it, whatever it says.
pub const BREAK_GLASS: &str = "rollcall.dev/break-glass";

/// Least length of a token of a SCIM client, and how many may be valid at a time.
pub const SHORTEST_TOKEN: usize = 32;
/// See [`SHORTEST_TOKEN`].
pub const MOST_TOKENS: usize = 8;

/// Custom verb that approving a plan and accepting a response need.
pub const APPROVE_VERB: &str = "approve";

/// Global stop, ledger and evidence: ConfigMaps in the operator's namespace.
pub const STOP: &str = "rollcall-stop";
/// Key of the reason in the global stop.
pub const STOP_REASON: &str = "reason";
/// Key that lifts the global stop: the resourceVersion of the stop that is lifted, which no manifest knows.
pub const STOP_LIFTS: &str = "lifts";
/// What it names where the ConfigMap is gone, which is a stop as well.
pub const STOP_ABSENT: &str = "absent";
/// What was released, held and counted.
pub const LEDGER: &str = "rollcall-ledger";
/// The list of frozen user names; the parameter of the admission policy that refuses them.
pub const FROZEN: &str = "rollcall-frozen";
/// The list of subjects that may be taken out of shared bindings; the parameter of the admission policy of `rollcall trim`.
pub const TRIM: &str = "rollcall-trim";
/// The list of what of leavers is not to be made again; the parameter of the admission policy `returns`.
pub const ENDED: &str = "rollcall-ended";
/// The list of accounts that the revoker may make again; the parameter of the admission policy of its hand-overs.
pub const RECREATE: &str = "rollcall-recreate";
/// The pod templates that hooks may run; the parameter of the admission policy of their Jobs.
pub const HOOKS: &str = "rollcall-hooks";
/// Label on the Job of a hook: the name of its CronJob.
pub const HOOK: &str = "rollcall.dev/hook";
/// Annotation of the pod of a hook: the Revocation as JSON, which the pod reads as a file of its `downwardAPI`.
pub const HOOK_FILE: &str = "rollcall.dev/hook-file";
/// Head of the evidence chain.
pub const EVIDENCE_HEAD: &str = "rollcall-evidence-head";
/// Marker of where the evidence chain begins, once records were pruned.
pub const EVIDENCE_START: &str = "rollcall-evidence-start";
/// The public keys that heads of the evidence are signed with.
pub const EVIDENCE_KEYS: &str = "rollcall-evidence-keys";
/// The Secret with the private one, which control alone reads.
pub const EVIDENCE_KEY: &str = "rollcall-evidence-key";
/// Key of the private key in that Secret, in PEM.
pub const KEY_PEM: &str = "key.pem";
/// Key of the one that is to take over.
pub const NEXT_PEM: &str = "next.pem";
/// Beginning of the names of signed heads among exported files.
pub const EVIDENCE_CHECKPOINT: &str = "rollcall-evidence-checkpoint";
/// Beginning of the names of what `rollcall tell` has told.
pub const TOLD: &str = "rollcall-told";
/// What the revoker may do in each namespace, as asked of the API server.
pub const CONSENTS: &str = "rollcall-consents";

/// The drill's connection, policy, Person and ConfigMap.
pub const DRILL: &str = "rollcall-drill";
/// HR id of the invented person of the drill, who is in its file alone.
pub const DRILL_ID: &str = "leaver";
/// Annotation of a token Secret that names its account.
pub const TOKEN_OF: &str = "kubernetes.io/service-account.name";

/// The user name of the invented person of an installation's drill, which is nobody's.
#[must_use]
pub fn drill_user(namespace: &str) -> String {
    format!("{DRILL}:{namespace}:{DRILL_ID}")
}

/// Whether this can be the name of a namespace or of an account: lower-case letters, digits, `-` and `.`, as DNS has it.
#[must_use]
pub fn is_dns_name(name: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && !word.starts_with('-')
            && !word.ends_with('-')
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dns_name_holds_nothing_that_means_anything_in_a_path() {
        for (name, expected) in [
            ("deploy", true),
            ("a-1.b", true),
            ("", false),
            (".", false),
            ("..", false),
            ("a..b", false),
            ("-a", false),
            ("A", false),
            ("a/b", false),
            ("a?b", false),
            ("a:b", false),
            (&"a".repeat(254), false),
        ] {
            assert_eq!(is_dns_name(name), expected, "{name:?}");
        }
    }
}
