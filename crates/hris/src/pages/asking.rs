//! A request of a definition with every name in it filled in.

use std::collections::BTreeMap;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::definition::Request;
use crate::http::{HttpResponse, Sent};
use crate::session::Session;
use crate::template;
use domain::employee::Failure;

/// A name that is known for one request alone, and its value: what a detail is about, which export is read. Where it has
/// several, every list of the body that names it holds what stands there once for each; another place has the first.
pub(crate) type Own<'a> = Option<(&'a str, &'a [&'a str])>;

/// A request, ready to be made.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    /// Where.
    pub(super) url: Url,
    /// Its own headers.
    pub(super) headers: HeaderMap,
    /// The body of a search.
    pub(super) body: Option<Value>,
}

impl Asking {
    /// `base` is the base URL, `values` are those of the parameters.
    ///
    /// # Errors
    /// In words, when a name has no value or the address is none.
    pub(super) fn new(
        base: &str,
        request: &Request,
        values: &BTreeMap<String, String>,
        own: Own<'_>,
    ) -> Result<Self, String> {
        let fill_for = |own: Own<'_>, text: &str| {
            template::fill(text, |name| match own {
                Some((known, each)) if known == name => each.first().map(|one| (*one).to_owned()),
                _ => values.get(name).cloned(),
            })
        };
        let fill = |text: &str| fill_for(own, text);
        let mut url = Url::parse(base).map_err(|_| "the parameters make no URL".to_owned())?;
        url.path_segments_mut().map_err(|()| "the base URL has no path".to_owned())?.pop_if_empty();
        for segment in request.path.split('/').skip(1) {
            let text = fill(segment)?;
            // A dot or two would lead to another place than the definition names.
            if matches!(text.as_str(), "." | "..") {
                return Err("a part of the path is no name".to_owned());
            }
            url.path_segments_mut().map_err(|()| "the base URL has no path".to_owned())?.push(&text);
        }
        for (name, text) in &request.query {
            url.query_pairs_mut().append_pair(name, &fill(text)?);
        }
        let pair = |(name, text): (&String, &String)| {
            let value = HeaderValue::try_from(fill(text)?).map_err(|_| format!("{name} is no header"))?;
            Ok((HeaderName::try_from(name).map_err(|_| format!("{name} is no header"))?, value))
        };
        let headers = request.headers.iter().map(pair).collect::<Result<_, String>>()?;
        let mut body = request.search.as_ref().map(|search| search.body.0.clone());
        body.iter_mut().try_for_each(|body| fill_in(body, own, &fill_for))?;
        Ok(Self { url, headers, body })
    }

    /// Makes it. `made` is whether something that was made, or will be, is an answer too.
    ///
    /// # Errors
    /// See `Failure`.
    pub(super) async fn ask(self, session: &Session, largest: usize, made: bool) -> Result<HttpResponse, Failure> {
        let text = self.body.map(|body| body.to_string());
        let send = text.as_deref().map(|body| Sent { kind: "application/json", body });
        session.ask(self.url, &self.headers, send, largest, made).await
    }

    /// Puts a parameter into the query.
    pub(super) fn query(&mut self, name: &str, text: &str) {
        self.url.query_pairs_mut().append_pair(name, text);
    }

    /// Puts a value at a dotted path of the body.
    pub(super) fn set(&mut self, path: &str, value: Value) {
        if let Some(body) = &mut self.body {
            set(body, path, value);
        }
    }
}

/// Fills the names in every text of a body.
fn fill_in(
    value: &mut Value,
    own: Own<'_>,
    fill: &impl Fn(Own<'_>, &str) -> Result<String, String>,
) -> Result<(), String> {
    match value {
        Value::String(text) => *text = fill(own, text)?,
        Value::Array(list) => match own {
            Some((name, each @ [_, _, ..])) if list.iter().any(|value| names(value, name)) => {
                let words = std::mem::take(list);
                for one in each {
                    let mut filled = words.clone();
                    let own = Some((name, std::slice::from_ref(one)));
                    filled.iter_mut().try_for_each(|value| fill_in(value, own, fill))?;
                    list.append(&mut filled);
                }
            }
            _ => list.iter_mut().try_for_each(|value| fill_in(value, own, fill))?,
        },
        Value::Object(object) => object.values_mut().try_for_each(|value| fill_in(value, own, fill))?,
        _ => {}
    }
    Ok(())
}

/// Whether a text in a value has a name in it.
fn names(value: &Value, name: &str) -> bool {
    let (mut named, mark) = (false, format!("{{{name}}}"));
    template::texts(value, &mut |text| named |= text.contains(&mark));
    named
}

/// Puts a value at a dotted path.
pub(crate) fn set(body: &mut Value, path: &str, value: Value) {
    let (parents, last) = path.rsplit_once('.').unwrap_or(("", path));
    let mut place = body;
    for key in parents.split('.').filter(|key| !key.is_empty()) {
        let Value::Object(object) = place else { return };
        place = object.entry(key).or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    if let Value::Object(object) = place {
        object.insert(last.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::definition::{Body, Search};

    fn asking(path: &str, body: Option<Value>, own: (&str, &[&str])) -> Result<Asking, String> {
        let search = body.map(|body| Search { body: Body(body), ..Search::default() });
        let request = Request { path: path.into(), query: BTreeMap::new(), headers: BTreeMap::new(), search };
        Asking::new("https://hr.example.com/", &request, &BTreeMap::new(), Some(own))
    }

    #[test]
    fn a_value_is_put_into_a_body_where_its_path_leads() {
        let mut body = json!({"paging": {"size": 5}});
        set(&mut body, "paging.page", 2.into());
        set(&mut body, "search.after", "x".into());
        set(&mut body, "cursor", "y".into());
        assert_eq!(body, json!({"paging": {"size": 5, "page": 2}, "search": {"after": "x"}, "cursor": "y"}));
    }

    #[test]
    fn what_a_detail_is_asked_about_may_stand_in_the_body_of_a_search() {
        let body = json!({"requests": [{"id": "{of}"}], "limit": 5});
        let asking = asking("/employment/search", Some(body), ("of", &["a/{b}"])).unwrap();
        assert_eq!(asking.body, Some(json!({"requests": [{"id": "a/{b}"}], "limit": 5})));
    }

    #[test]
    fn many_people_are_asked_about_in_one_body() {
        let body = json!({"requests": [{"id": "{of}", "with": ["jobs"]}], "filter": {"of": ["{of}"], "in": ["x"]}});
        let all = asking("/people", Some(body), ("of", &["7", "{of}", "8"])).unwrap();
        let one = |id: &str| json!({"id": id, "with": ["jobs"]});
        let expected =
            json!({"requests": [one("7"), one("{of}"), one("8")], "filter": {"of": ["7", "{of}", "8"], "in": ["x"]}});
        assert_eq!(all.body, Some(expected));
    }

    #[test]
    fn what_is_asked_about_is_one_part_of_the_path_whatever_it_says() {
        for (of, path) in [
            ("7", Ok("/v2/persons/7.json/jobs")),
            ("a/b?c#d", Ok("/v2/persons/a%2Fb%3Fc%23d.json/jobs")),
            ("{of}", Ok("/v2/persons/%7Bof%7D.json/jobs")),
        ] {
            let asking = asking("/v2/persons/{of}.json/jobs", None, ("of", &[of]));
            assert_eq!(asking.as_ref().map(|asking| asking.url.path()).map_err(String::as_str), path, "{of}");
        }
        for of in [".", ".."] {
            let refused = asking("/v2/persons/{of}/jobs", None, ("of", &[of])).map(|_| ());
            assert_eq!(refused, Err("a part of the path is no name".to_owned()), "{of}");
        }
    }
}
