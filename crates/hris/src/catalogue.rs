//! The connectors that come with the binary: one folder each under `connectors/`, found when it is built.

use super::definition::Definition;
use domain::quote::quoted;

/// Name and definition of each, in the order of their names.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// The names of all connectors.
#[must_use]
pub fn connectors() -> Vec<&'static str> {
    EMBEDDED.iter().map(|(name, _)| *name).collect()
}

/// The text of a connector's definition.
///
/// # Errors
/// In words for the author of the connection, with the names there are.
pub fn connector_text(name: &str) -> Result<&'static str, String> {
    let unknown = || format!("there is no connector {}; there are: {}", quoted(name), connectors().join(", "));
    EMBEDDED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text).ok_or_else(unknown)
}

/// The definition of a connector.
///
/// # Errors
/// In words for the author of the connection, with the names there are.
pub fn connector(name: &str) -> Result<Definition, String> {
    let text = connector_text(name)?;
    Definition::parse(&format!("connectors/{name}/connector.yaml"), text).map_err(|refused| refused.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{Evidence, Test};
    use domain::employee::Status;

    #[test]
    fn every_folder_is_in_the_catalogue_under_its_own_name() {
        let folders = std::fs::read_dir("../../connectors").unwrap();
        let mut folders: Vec<_> = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
        folders.sort();
        assert_eq!(folders, connectors());
        for name in connectors() {
            let found = connector(name).unwrap();
            assert_eq!(found.name, name);
            let addresses = std::iter::once(&found.base_url).chain(found.auth.token.iter().map(|token| &token.url));
            assert!(addresses.into_iter().all(|address| address.starts_with("https://")), "{name}");
        }
    }

    #[test]
    fn no_rule_ends_anybody_by_a_word_that_is_not_known() {
        for name in connectors() {
            let found = connector(name).unwrap();
            let worded =
                |input: &String| found.rules.iter().any(|rule| matches!(rule.when.get(input), Some(Test::Is(_))));
            for rule in found.rules.iter().filter(|rule| rule.means == Status::Terminated) {
                let any = rule.when.iter().filter(|(_, test)| **test == Test::Filled).map(|(input, _)| input);
                let any: Vec<_> = any.filter(|input| worded(input)).collect();
                assert!(any.is_empty(), "{name}: any word of {any:?} is taken for that of a leaver");
                let only_missing = rule.when.values().all(|test| *test == Test::Empty);
                assert!(!only_missing, "{name}: that something is missing is taken for leaving");
            }
        }
    }

    #[test]
    fn every_connector_says_how_far_it_is_proved_and_by_which_pages() {
        // Where the code of others lies: what is inferred, is inferred from something that anybody can read.
        let code = ["github.com/", "raw.githubusercontent.com/", "unpkg.com/", "npmjs.com/", "pypi.org/"];
        for name in connectors() {
            let found = connector(name).unwrap();
            assert!(!found.sources.is_empty(), "{name}");
            let seen = found.sources.iter().any(|source| code.iter().any(|place| source.contains(place)));
            assert!(found.evidence != Evidence::ConnectorSeen || seen, "{name}: seen in which connector?");
            let limited = !found.cannot.is_empty();
            assert!(found.evidence != Evidence::Partial || limited, "{name}: what of it is not known?");
        }
    }

    #[test]
    fn an_account_that_is_switched_off_is_suspended_in_every_directory() {
        for name in
            ["auth0", "entra-id", "google-workspace", "jumpcloud", "keycloak", "okta", "onelogin", "scim", "servicenow"]
        {
            let found = connector(name).unwrap();
            let words = found.statuses.values().map(|rule| rule.means);
            let means: Vec<_> = words.chain(found.rules.iter().map(|rule| rule.means)).collect();
            assert!(means.contains(&Status::Suspended) && !means.contains(&Status::Terminated), "{name}");
            assert_eq!(found.end_date_means, None, "{name}");
        }
    }

    #[test]
    fn an_unknown_connector_is_answered_with_the_names_there_are() {
        let answer = connector("bambohr").unwrap_err();
        assert!(answer.starts_with("there is no connector \"bambohr\"; there are: "), "{answer}");
        assert!(answer.contains("bamboohr"), "{answer}");
    }
}
