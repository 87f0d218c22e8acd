//! The connectors that come with the binary: one folder each under `connectors/`, found when it is built.

use super::definition::Definition;

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
/// In words for whoever wrote the connection, with the names there are.
pub fn connector_text(name: &str) -> Result<&'static str, String> {
    let unknown = || format!("there is no connector {name:?}; there are: {}", connectors().join(", "));
    EMBEDDED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text).ok_or_else(unknown)
}

/// The definition of a connector.
///
/// # Errors
/// In words for whoever wrote the connection, with the names there are.
pub fn connector(name: &str) -> Result<Definition, String> {
    let text = connector_text(name)?;
    Definition::parse(&format!("connectors/{name}/connector.yaml"), text).map_err(|refused| refused.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_is_in_the_catalogue_under_its_own_name() {
        let folders = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../connectors")).unwrap();
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
    fn an_unknown_connector_is_answered_with_the_names_there_are() {
        let answer = connector("bambohr").unwrap_err();
        assert!(answer.starts_with("there is no connector \"bambohr\"; there are: "), "{answer}");
        assert!(answer.contains("bamboohr"), "{answer}");
    }
}
