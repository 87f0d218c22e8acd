//! The edit that takes somebody out of a binding that others share, as a command: where Rollcall may not do it, a human does.

use k8s_openapi::api::rbac::v1::Subject;
use serde_json::{Value, json};

/// The command that takes these subjects out of a binding; `None` where there are none, or nobody would stay.
///
/// Each removal is by position and comes after a test of what stands there, the last position first: of a binding that somebody
/// changed meanwhile nothing is changed. An empty namespace stands for a ClusterRoleBinding.
pub fn command(namespace: &str, name: &str, subjects: &[Subject], leaves: impl Fn(&Subject) -> bool) -> Option<String> {
    let leaving: Vec<(usize, &Subject)> = subjects.iter().enumerate().filter(|(_, subject)| leaves(subject)).collect();
    if leaving.is_empty() || leaving.len() == subjects.len() {
        return None;
    }
    let edits: Vec<Value> = leaving
        .into_iter()
        .rev()
        .flat_map(|(at, subject)| {
            let path = format!("/subjects/{at}");
            [json!({"op": "test", "path": path, "value": subject}), json!({"op": "remove", "path": path})]
        })
        .collect();
    let place = match namespace {
        "" => "kubectl patch clusterrolebinding".to_owned(),
        namespace => format!("kubectl --namespace {} patch rolebinding", word(namespace)),
    };
    Some(format!("{place} {} --type=json --patch {}", word(name), word(&Value::Array(edits).to_string())))
}

/// A word of a command line as a POSIX shell takes it, whatever it holds.
pub fn word(text: &str) -> String {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "-_.:/@".contains(sign);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> Subject {
        let group = Some("rbac.authorization.k8s.io".to_owned());
        Subject { api_group: group, kind: "User".into(), name: name.into(), namespace: None }
    }

    /// What a patch makes of the subjects, as RFC 6902 says; `None` if a test fails.
    fn patched(command: &str, subjects: &[Subject]) -> Option<Vec<Subject>> {
        let text = command.split_once("--patch '")?.1.strip_suffix('\'')?.replace(r"'\''", "'");
        let mut subjects: Vec<Value> = subjects.iter().map(|one| serde_json::to_value(one).unwrap()).collect();
        for edit in serde_json::from_str::<Vec<Value>>(&text).unwrap() {
            let at: usize = edit["path"].as_str()?.strip_prefix("/subjects/")?.parse().ok()?;
            match edit["op"].as_str()? {
                "test" if subjects.get(at) == Some(&edit["value"]) => {}
                "remove" => drop(subjects.remove(at)),
                _ => return None,
            }
        }
        Some(subjects.into_iter().map(|one| serde_json::from_value(one).unwrap()).collect())
    }

    #[test]
    fn the_command_takes_out_exactly_those_and_fails_where_somebody_changed_the_binding() {
        let (ada, old, ben) =
            (user("oidc:ada@example.com"), user("oidc:o'hara@example.com"), user("oidc:ben@example.com"));
        let leaves = |subject: &Subject| subject.name == ada.name || subject.name == old.name;
        let subjects = [ada.clone(), ben.clone(), old.clone()];
        let command = command("apps", "shared", &subjects, leaves).unwrap();
        assert!(
            command.starts_with("kubectl --namespace apps patch rolebinding shared --type=json --patch '"),
            "{command}"
        );
        assert_eq!(patched(&command, &subjects), Some(vec![ben.clone()]));
        assert_eq!(patched(&command, &[ben.clone(), ada.clone(), old.clone()]), None, "they stand elsewhere by now");
        assert_eq!(patched(&command, std::slice::from_ref(&ben)), None, "they are out");
        assert_eq!(super::command("apps", "shared", &[ada.clone(), old.clone()], leaves), None, "nobody would stay");
        assert_eq!(super::command("apps", "shared", &[ben], leaves), None, "nobody leaves");
    }

    #[test]
    fn a_name_is_one_word_of_the_command_whatever_it_holds() {
        for (name, expected) in [
            ("shared", "shared"),
            ("team:admins", "team:admins"),
            ("a b", "'a b'"),
            ("$(reboot)", "'$(reboot)'"),
            ("it's", r"'it'\''s'"),
            ("-f", "'-f'"),
            ("", "''"),
        ] {
            assert_eq!(word(name), expected);
        }
        let subjects = [user("ada"), user("ben")];
        let command = command("", "a;b", &subjects, |subject| subject.name == "ada").unwrap();
        assert!(command.starts_with("kubectl patch clusterrolebinding 'a;b' --type=json --patch '"), "{command}");
    }
}
