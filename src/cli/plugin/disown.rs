//! `rollcall disown`: an address or user name that never was somebody's, such as a typing error in HR, no longer names them.
//!
//! What it names is somebody else's from then on, and ends with that one: an admission policy asks for the verb `link`, and that
//! nobody takes back what they sign in with.

use clap::Args;
use kube::ResourceExt;
use serde_json::json;

use super::Failure;
use super::asked::Whom;
use super::link::{shown, write};
use super::people::{everybody, find};
use super::terminal::{plain, say};
use crate::api::Person;
use domain::ownership::comparable;

/// Most aliases that are taken back of one Person.
const MAX_DISOWNED: usize = 32;

/// Options of `rollcall disown`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    whom: Whom,
    /// The address or user name, as `ada@example.com` or `user:oidc:ada`. User names that contain an address go with it
    alias: String,
    /// Say that it is theirs all the same. It counts again once HR reports it
    #[arg(long)]
    withdraw: bool,
}

/// Takes an alias back, or says that it is theirs all the same.
///
/// # Flow          read, show, ask, write
/// # Guarantees    nothing is written over a Person that changed since it was shown; doing it again changes nothing
/// # Assumptions   the policies of the chart are installed
/// # Errors        why not, and that nothing was changed
pub async fn run(options: &Options) -> Result<(), Failure> {
    let (_, api, people) = everybody(&options.whom.cluster).await?;
    let person = find(&people, &options.whom.person)?;
    let name = person.name_any();
    say(&shown(person));
    if options.withdraw {
        let kept = without(&person.spec.disowned, &options.alias).map_err(Failure::Refused)?;
        write(&api, person, json!({"disowned": kept})).await?;
        say(&format!("{name}: it is theirs again once HR reports it"));
        return Ok(());
    }
    let (taken, disowned) = with(person, &options.alias).map_err(Failure::Refused)?;
    let listed: Vec<_> = taken.iter().map(|alias| plain(alias)).collect();
    options.whom.asked.confirm(format!(
        "Were these never theirs: {}? What they name is then revoked when everybody else whom they mean has left",
        listed.join(", ")
    ))?;
    write(&api, person, json!({"disowned": disowned})).await?;
    say(&format!(
        "{name}: taken back. If HR reports it still, it counts until that is corrected: see status.aliasDates of the Person"
    ));
    Ok(())
}

/// The aliases of a Person that are meant, and all that are taken back then.
fn with(person: &Person, text: &str) -> Result<(Vec<String>, Vec<String>), String> {
    let name = person.name_any();
    let aliases = person.status.as_ref().map(|status| status.aliases.as_slice()).unwrap_or_default();
    let taken: Vec<String> = aliases.iter().filter(|alias| means(text, alias)).cloned().collect();
    if taken.is_empty() {
        return Err(format!("{name} was never known by {}", plain(text)));
    }
    let mut all = person.spec.disowned.clone();
    all.extend(taken.iter().filter(|alias| !person.spec.disowned.contains(alias)).cloned());
    if all.len() > MAX_DISOWNED {
        return Err(format!("more than {MAX_DISOWNED} addresses and user names of {name} would be taken back"));
    }
    Ok((taken, all))
}

/// What stays taken back.
fn without(disowned: &[String], text: &str) -> Result<Vec<String>, String> {
    let kept: Vec<String> = disowned.iter().filter(|alias| !means(text, alias)).cloned().collect();
    if kept.len() == disowned.len() {
        return Err(format!("nobody took {} back", plain(text)));
    }
    Ok(kept)
}

/// Whether an alias is meant by what somebody typed: itself, or an address alone with the user names that contain it.
fn means(text: &str, alias: &str) -> bool {
    let address = text.strip_prefix("email:").unwrap_or(text).trim().to_lowercase();
    let of_address = |user: &str| {
        user.split_once(&address).is_some_and(|(before, after)| {
            after.is_empty() && !before.ends_with(|c: char| c.is_alphanumeric() || "._%+-".contains(c))
        })
    };
    let by_address = address.contains('@') && !text.starts_with("user:");
    comparable(alias) == comparable(text)
        || by_address
            && (alias.strip_prefix("email:") == Some(&address)
                || alias.strip_prefix("user:").is_some_and(|user| of_address(&user.to_lowercase())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> Person {
        serde_json::from_value(json!({
            "metadata": {"name": "p-1"}, "spec": {"records": [{"connection": "hq", "id": "1"}], "disowned": ["email:old@example.com"]},
            "status": {"aliases": ["email:ada@example.com", "user:oidc:Ada@Example.com", "user:oidc:ada@example.com",
                "user:oidc:canada@example.com", "user:ada", "email:bob@example.com"]},
        }))
        .unwrap()
    }

    #[test]
    fn an_address_goes_with_the_user_names_that_contain_it_and_a_user_name_alone() {
        let taken = |text: &str| with(&person(), text).map(|(taken, _)| taken).unwrap_or_default();
        let ada = ["email:ada@example.com", "user:oidc:Ada@Example.com", "user:oidc:ada@example.com"];
        for text in ["ada@example.com", "ADA@example.com", "email:ada@example.com"] {
            assert_eq!(taken(text), ada, "{text}");
        }
        assert_eq!(taken("user:ada"), ["user:ada"]);
        assert_eq!(taken("bob@example.com"), ["email:bob@example.com"]);
        for text in ["ada", "example.com", "da@example.com", "eve@example.com", ""] {
            assert!(with(&person(), text).is_err(), "{text}");
        }
        assert_eq!(with(&person(), "user:ada").unwrap().1, ["email:old@example.com", "user:ada"]);
    }

    #[test]
    fn what_was_taken_back_can_be_given_back() {
        let disowned = person().spec.disowned;
        assert_eq!(without(&disowned, "old@example.com"), Ok(vec![]));
        assert!(without(&disowned, "ada@example.com").is_err());
    }
}
