//! Who refused a Job or its pod, out of the text with which the platform says so.
//!
//! Such a text may quote what was sent, and a webhook may write anything into it. So nothing is passed on but the name of
//! the policy, quota or webhook, and of this installation's own policy the sentence that names the field. For reading only.

use std::sync::LazyLock;

use regex::Regex;

/// Longest quotation.
const MAX_QUOTED: usize = 300;

/// The ways in which platforms say who refused: a pattern with one name in it, and what is said of it.
static WAYS: LazyLock<Vec<(Option<Regex>, &'static str)>> = LazyLock::new(|| {
    const NAME: &str = "([A-Za-z0-9][A-Za-z0-9.:/_-]{0,252})";
    [
        (format!("ValidatingAdmissionPolicy '{NAME}'"), "the ValidatingAdmissionPolicy"),
        (format!("MutatingAdmissionPolicy '{NAME}'"), "the MutatingAdmissionPolicy"),
        (format!("exceeded quota: {NAME}"), "it would exceed the ResourceQuota"),
        (
            format!("failed quota: {NAME}: must specify"),
            "it lacks requests or limits that are demanded by the ResourceQuota",
        ),
        (format!("admission webhook \"{NAME}\" denied"), "the admission webhook"),
        (format!("failed calling webhook \"{NAME}\""), "an admission webhook that cannot be reached:"),
        (format!("violates PodSecurity \"{NAME}\""), "the pod security standard"),
        (format!("no PriorityClass with name {NAME}"), "there is no PriorityClass"),
        (format!("serviceaccount \"{NAME}\" not found"), "there is no ServiceAccount"),
        (format!("error looking up service account {NAME}"), "there is no ServiceAccount"),
        (format!("namespaces \"{NAME}\" not found"), "there is no namespace"),
        (
            format!("unable to validate against any security context constraint{}", "()"),
            "no SecurityContextConstraint admits it",
        ),
    ]
    .into_iter()
    .map(|(pattern, said)| (Regex::new(&pattern).ok(), said))
    .collect()
});

/// Requests and limits that a quota wants: `must specify limits.cpu for: revoke`.
static WANTED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("must specify ([a-z0-9.,/-]{1,120})").ok());

/// Limits of a LimitRange: `maximum memory usage per Container is 64Mi, but limit is 128Mi`.
static RANGE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new("((?:maximum|minimum) [a-z.-]{1,40} usage per (?:Container|Pod) is [0-9A-Za-z.]{1,20})").ok()
});

/// Who refused, and what they miss where that can be told safely. `own` is the policy that pins the Job; what it says comes
/// from this chart. `None` if the text is none of those that are known.
pub fn refused_by(text: &str, own: &str) -> Option<String> {
    let text: String = text.chars().take(8192).collect();
    if let Some(range) = first(&RANGE, &text) {
        return Some(format!("a LimitRange: {range}"));
    }
    let (name, said) = WAYS.iter().find_map(|(way, said)| {
        let found = way.as_ref()?.captures(&text)?.get(1)?;
        Some((found.as_str().to_owned(), *said))
    })?;
    let mut who = format!("{said} {name}").trim_end().to_owned();
    if name == own
        && let Some((_, sentence)) = text.split_once("denied request: ")
    {
        who = format!("{who}: {}", plain(sentence));
    }
    if let Some(wanted) = first(&WANTED, &text) {
        who = format!("{who}: {wanted}");
    }
    Some(who)
}

fn first(pattern: &LazyLock<Option<Regex>>, text: &str) -> Option<String> {
    Some(pattern.as_ref()?.captures(text)?.get(1)?.as_str().to_owned())
}

/// A text of one line and bounded length, in letters that do no harm anywhere it is shown.
pub fn plain(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " .,:;/@_'()=-".contains(c);
    text.chars().take(MAX_QUOTED).map(|c| if allowed(c) { c } else { ' ' }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_refused_is_named_and_nothing_else_is_quoted() {
        let cases = [
            (
                "jobs.batch \"revoke-1\" is forbidden: ValidatingAdmissionPolicy 'rc-job-template' with binding 'rc-job-template' denied request: not the revoker's pod: fields that are not declared: nodeSelector",
                "the ValidatingAdmissionPolicy rc-job-template: not the revoker's pod: fields that are not declared: nodeSelector",
            ),
            (
                "ValidatingAdmissionPolicy 'require-team' with binding 'x' denied request: secret-of-somebody",
                "the ValidatingAdmissionPolicy require-team",
            ),
            (
                "Error creating: pods \"revoke-1-x\" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=0, limited: pods=0",
                "it would exceed the ResourceQuota compute",
            ),
            (
                "Error creating: pods \"revoke-1-x\" is forbidden: failed quota: compute: must specify limits.cpu for: revoke",
                "it lacks requests or limits that are demanded by the ResourceQuota compute: limits.cpu",
            ),
            (
                "admission webhook \"validate.kyverno.svc-fail\" denied the request: http://user:hunter2@proxy",
                "the admission webhook validate.kyverno.svc-fail",
            ),
            (
                "Internal error occurred: failed calling webhook \"hook.example.com\": failed to call webhook: Post \"https://x\": refused",
                "an admission webhook that cannot be reached: hook.example.com",
            ),
            (
                "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false",
                "the pod security standard restricted:latest",
            ),
            (
                "pods \"x\" is forbidden: maximum memory usage per Container is 64Mi, but limit is 128Mi",
                "a LimitRange: maximum memory usage per Container is 64Mi",
            ),
            ("pods \"x\" is forbidden: no PriorityClass with name high was found", "there is no PriorityClass high"),
        ];
        for (text, who) in cases {
            assert_eq!(refused_by(text, "rc-job-template").as_deref(), Some(who));
        }
        assert_eq!(refused_by("something else: token=eyJabc", "rc-job-template"), None);
    }

    #[test]
    fn every_way_can_be_read() {
        assert!(WAYS.iter().all(|(way, _)| way.is_some()) && WANTED.is_some() && RANGE.is_some());
    }

    #[test]
    fn what_is_quoted_is_one_short_line() {
        let quoted = plain(&format!("a\nb\u{1b}[31m<script>{}", "x".repeat(1000)));
        assert!(quoted.starts_with("a b  31m script "), "{quoted}");
        assert!(quoted.len() <= MAX_QUOTED);
    }
}
