//! Which Person is meant: by object name, HR record, address or user name, as owner annotations name them. Never guessed.

use kube::ResourceExt;

use super::{record, records};
use crate::api::{Person, convert};
use crate::cli::Failure;
use crate::cli::terminal::plain;
use domain::ownership::{key, user_key};

/// Most candidates that are listed.
const MAX_LISTED: usize = 20;

/// The one Person of this object name, `CONNECTION/ID` or `id:CONNECTION/ID`, address or user name, current or of before.
///
/// # Errors
/// When there is none, or more than one: then with each of them.
pub fn find<'a>(people: &'a [Person], text: &str) -> Result<&'a Person, Failure> {
    let text = text.trim();
    let meant = meant(text);
    let found: Vec<&Person> = people.iter().filter(|person| meant(person)).collect();
    match found[..] {
        [person] => Ok(person),
        [] => Err(Failure::Refused(format!(
            "there is no Person {}, and none with this HR record, address or user name",
            plain(text)
        ))),
        _ => Err(Failure::Refused(several(text, &found))),
    }
}

/// Whether this is a name of somebody: of their Person, an HR record, an address or a user name.
pub fn meant(text: &str) -> impl Fn(&Person) -> bool {
    let (text, keys) = (text.to_owned(), keys(text));
    move |person| {
        person.name_any() == text
            || person.spec.records.iter().any(|one| record(one) == text)
            || convert::known_by(person).keys().any(|key| keys.contains(&key))
    }
}

/// What an owner annotation with this text, or a binding that names it, would mean.
fn keys(text: &str) -> Vec<String> {
    key(text).into_iter().chain([user_key(text)]).collect()
}

fn several(text: &str, found: &[&Person]) -> String {
    let line = |person: &&Person| {
        let state = person.status.as_ref().and_then(|status| status.employment.as_ref());
        let state = state.map_or("nothing is known yet", |employment| employment.state.as_str());
        format!("\n  {}  {}  {state}", person.name_any(), plain(&records(person)))
    };
    let listed: String = found.iter().take(MAX_LISTED).map(line).collect();
    let more = match found.len().saturating_sub(MAX_LISTED) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    format!("{} may be any of {} Persons; name one of them:{listed}{more}", plain(text), found.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn person(name: &str, ids: &[&str], aliases: &[&str]) -> Person {
        let records: Vec<_> = ids.iter().map(|id| json!({"connection": "hq", "id": id})).collect();
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "rollcall", "uid": name}, "spec": {"records": records},
            "status": {"aliases": aliases},
        }))
        .unwrap()
    }

    #[test]
    fn a_person_is_found_by_everything_that_names_them_and_never_guessed() {
        let people = [
            person("p-ada", &["1", "2"], &["email:ada@example.com", "user:oidc:Ada@example.com"]),
            person("p-ben", &["3"], &["email:ben@example.com", "email:desk@example.com", "user:ben"]),
            person("p-cy", &["4"], &["email:desk@example.com"]),
        ];
        let cases = [
            ("the object name", "p-ada", Some("p-ada")),
            ("an HR record", "hq/2", Some("p-ada")),
            ("an HR record as an owner annotation has it", "id:hq/2", Some("p-ada")),
            ("an HR record with the namespace of the people", "id:rollcall:hq/2", Some("p-ada")),
            ("an address", "Ada@Example.com", Some("p-ada")),
            ("an address as an owner annotation has it", "email:ada@example.com", Some("p-ada")),
            ("a user name", "oidc:ada@example.com", Some("p-ada")),
            ("a user name as an owner annotation has it", "user:ben", Some("p-ben")),
            ("a user name without an address", "ben", Some("p-ben")),
            ("the same in another case", "Ben", None),
            ("an address that two had", "desk@example.com", None),
            ("an id alone", "1", None),
            ("nobody", "hq/9", None),
            ("nothing", "", None),
        ];
        for (what, text, expected) in cases {
            assert_eq!(find(&people, text).ok().map(ResourceExt::name_any).as_deref(), expected, "{what}");
        }
        let said = find(&people, "desk@example.com").unwrap_err().to_string();
        assert!(said.contains("p-ben  hq/3") && said.contains("p-cy  hq/4") && !said.contains("p-ada"), "{said}");
    }
}
