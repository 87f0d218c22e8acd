//! Texts of a definition with names in braces: `Bearer {token}`, `/api/{version}/people`, `AfasToken {base64 token}`.

use data_encoding::BASE64;
use serde_json::Value;

/// A name in braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'t> {
    /// The name.
    pub name: &'t str,
    /// Its value is written in base64.
    base64: bool,
}

/// The names a text asks for.
///
/// # Errors
/// In words, when a brace is not closed or never opened.
pub fn names(text: &str) -> Result<Vec<Name<'_>>, String> {
    let mut found = Vec::new();
    each(text, |_| {}, |name| found.push(name))?;
    Ok(found)
}

/// The text with a value for every name.
///
/// # Errors
/// In words: a name without a value, a brace that is not closed or never opened.
pub fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = std::cell::RefCell::new(String::with_capacity(text.len()));
    let mut unknown = None;
    each(
        text,
        |plain| filled.borrow_mut().push_str(plain),
        |Name { name, base64 }| match value(name) {
            Some(value) if base64 => filled.borrow_mut().push_str(&BASE64.encode(value.as_bytes())),
            Some(value) => filled.borrow_mut().push_str(&value),
            None => unknown = Some(format!("{{{name}}} has no value")),
        },
    )?;
    unknown.map_or_else(|| Ok(std::mem::take(filled.get_mut())), Err)
}

fn each<'t>(text: &'t str, mut plain: impl FnMut(&str), mut name: impl FnMut(Name<'t>)) -> Result<(), String> {
    let unbalanced = || "a brace is not closed, or never opened".to_owned();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (inside, after) = after.split_once('}').ok_or_else(unbalanced)?;
        if before.contains('}') || inside.contains('{') || inside.is_empty() {
            return Err(unbalanced());
        }
        plain(before);
        name(match inside.strip_prefix("base64 ") {
            Some(name) => Name { name, base64: true },
            None => Name { name: inside, base64: false },
        });
        rest = after;
    }
    if rest.contains('}') {
        return Err(unbalanced());
    }
    plain(rest);
    Ok(())
}

/// Every text in a JSON value.
pub fn texts(value: &Value, take: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => take(text),
        Value::Array(list) => list.iter().for_each(|value| texts(value, take)),
        Value::Object(object) => object.values().for_each(|value| texts(value, take)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_by_their_values() {
        let value = |name: &str| (name == "token").then(|| "s3cret".to_owned());
        for (text, filled) in [
            ("plain", Ok("plain")),
            ("Bearer {token}", Ok("Bearer s3cret")),
            ("{token}:{token}", Ok("s3cret:s3cret")),
            ("AfasToken {base64 token}", Ok("AfasToken czNjcmV0")),
            ("{other}", Err("{other} has no value")),
            ("{token", Err("a brace is not closed, or never opened")),
            ("token}", Err("a brace is not closed, or never opened")),
            ("{}", Err("a brace is not closed, or never opened")),
            ("{{token}}", Err("a brace is not closed, or never opened")),
        ] {
            assert_eq!(fill(text, value).as_deref().map_err(String::as_str), filled, "{text}");
        }
        let asked: Vec<_> = names("{a}/{base64 b}").unwrap().into_iter().map(|name| name.name).collect();
        assert_eq!(asked, ["a", "b"]);
    }
}
