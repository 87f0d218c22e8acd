//! Paths of a definition: RFC 9535 with the leading `$.` left out.
//!
//! `a.b` and `['a.b'].c` are plain: they go into the trie that reads a page without building a tree. From the first
//! index, wildcard or filter on (`emails[?@.type=='work'].value`) the rest is a query, run on the part of the page
//! that lies there. `match` and `search` are refused: they cost thirty times as much as a comparison.

use serde_json::Value;
use serde_json_path::JsonPath;

/// Longest path: a query lies no deeper than it is long, and is read by functions that call themselves.
const MAX_LEN: usize = 512;

/// A path, ready to be followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// The keys to follow from object to object.
    pub keys: Vec<String>,
    /// What is asked of the value that lies there; none takes the value itself.
    pub query: Option<JsonPath>,
}

impl Path {
    /// Reads a path; an empty one is the place itself.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_LEN {
            return Err(format!("longer than {MAX_LEN} bytes"));
        }
        let mut keys = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(quoted) = rest.strip_prefix("['") {
                let (key, after) = quoted.split_once("']").ok_or("a bracket is not closed")?;
                keys.push(key.to_owned());
                rest = after;
            } else if rest.starts_with(['[', '*', '.']) {
                return Ok(Self { keys, query: Some(query(rest)?) });
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                let (key, after) = rest.split_at(end);
                keys.push(key.to_owned());
                rest = after;
            }
            if let Some(after) = rest.strip_prefix('.') {
                if after.is_empty() || after.starts_with('.') {
                    return Err("a name is missing next to a dot".to_owned());
                }
                rest = after;
            }
        }
        Ok(Self { keys, query: None })
    }

    /// The first value it leads to that is not null.
    pub fn first<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        let place = self.keys.iter().try_fold(value, |value, key| value.get(key))?;
        match &self.query {
            None => Some(place).filter(|value| !value.is_null()),
            Some(query) => query.query(place).all().into_iter().find(|value| !value.is_null()),
        }
    }
}

fn query(text: &str) -> Result<JsonPath, String> {
    if text.contains("match(") || text.contains("search(") {
        return Err("match and search cannot be used: compare with ==".to_owned());
    }
    let dot = if text.starts_with('*') { "." } else { "" };
    JsonPath::parse(&format!("${dot}{text}")).map_err(|error| format!("{error} (RFC 9535)"))
}

/// A value as text, the way a page's values are read; none where it is a list, an object, or a number that lost digits.
pub fn plain(value: &Value) -> Option<String> {
    /// Beyond it whole numbers are no longer told apart once they are read as floats (2^53).
    const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) if number.is_f64() => {
            number.as_f64().filter(|number| number.abs() < LARGEST_EXACT).map(|number| number.to_string())
        }
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_where_they_say() {
        let page = json!({
            "a": {"b.c": 7, "/work/title": {"value": "Engineer"}},
            "@odata.nextLink": "https://example.com",
            "emails": [{"type": "home", "value": "x"}, {"type": "work", "value": null}, {"type": "work", "value": "y"}],
            "manager": [42, "Bo"],
            "records": [{"9": [{"name": "Ada"}]}],
        });
        for (path, found) in [
            ("a['b.c']", Some(json!(7))),
            ("a./work/title.value", Some(json!("Engineer"))),
            ("['@odata.nextLink']", Some(json!("https://example.com"))),
            ("emails[?@.type=='work'].value", Some(json!("y"))),
            ("emails[?@.type=='none'].value", None),
            ("manager[1]", Some(json!("Bo"))),
            ("records[*].*[0].name", Some(json!("Ada"))),
            ("records[0].*[0].name", Some(json!("Ada"))),
            ("a.x", None),
            ("emails.value", None),
        ] {
            assert_eq!(Path::parse(path).unwrap().first(&page).cloned(), found, "{path}");
        }
        assert_eq!(Path::parse("").unwrap().first(&page), Some(&page));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["a..b", "a.", "a['b", "a[", "a[?@.b=='c'", "a[?match(@.b, 'c.*')]", "a[?search(@.b, 'c')]"] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
    }
}
