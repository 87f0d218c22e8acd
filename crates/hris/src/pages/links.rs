//! Addresses that a page gives for the next: the header `Link` (RFC 8288), and where such an address may lead.

use reqwest::Url;
use reqwest::header::{HeaderMap, LINK};

use domain::employee::Failure;

/// A next link, which may not lead to another host than the list's own.
///
/// # Errors
/// `AddressRefused`, or `WrongFormat` where it is no address.
pub(super) fn follow(start: &Url, next: &str) -> Result<Url, Failure> {
    let refused = |to: &str| Failure::AddressRefused(format!("the next link leads to {to}, another host"));
    let url = start.join(next).map_err(|_| Failure::WrongFormat("the next link is no URL".to_owned()))?;
    let place = |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
    if place(&url) != place(start) || !url.username().is_empty() || url.password().is_some() {
        return Err(refused(url.host_str().unwrap_or("nowhere")));
    }
    Ok(url)
}

/// The list's own address with the query of a next link, wherever that leads.
///
/// # Errors
/// `WrongFormat` where it is no address, or has no query.
pub(super) fn by_query(start: &Url, next: &str) -> Result<Url, Failure> {
    let wrong = || Failure::WrongFormat("the next link has no query".to_owned());
    let url = start.join(next).map_err(|_| wrong())?;
    let mut own = start.clone();
    own.set_query(Some(url.query().filter(|query| !query.is_empty()).ok_or_else(wrong)?));
    Ok(own)
}

/// The target of the link `rel="next"`; there may be several headers, and several links in each.
pub(super) fn next(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(links).find_map(|(target, is_next)| is_next.then(|| target.to_owned()))
}

/// The links of one header: target, and whether it is the next page of this very one. What is no link ends them.
fn links(header: &str) -> Vec<(&str, bool)> {
    let (mut found, mut rest) = (Vec::new(), header);
    while let Some((target, after)) =
        rest.trim_start_matches([',', ' ', '\t']).strip_prefix('<').and_then(|rest| rest.split_once('>'))
    {
        let (mut rel, mut anchored) = (None, false);
        rest = after.trim_start();
        while let Some(parameter) = rest.strip_prefix(';') {
            let (name, value, after) = parameter_of(parameter);
            anchored |= name.eq_ignore_ascii_case("anchor"); // a link of something else
            if name.eq_ignore_ascii_case("rel") {
                rel = rel.or(Some(value)); // others than the first do not count
            }
            rest = after;
        }
        let is_next = rel.is_some_and(|rel| rel.split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next")));
        found.push((target.trim(), is_next && !anchored));
    }
    found
}

/// Name and value of a parameter, and what comes after it.
fn parameter_of(text: &str) -> (&str, &str, &str) {
    let text = text.trim_start();
    let end = text.find(['=', ';', ',']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let Some(value) = rest.strip_prefix('=') else { return (name.trim(), "", rest) };
    let value = value.trim_start();
    let Some(quoted) = value.strip_prefix('"') else {
        let (value, rest) = value.split_at(value.find([';', ',']).unwrap_or(value.len()));
        return (name.trim(), value.trim(), rest);
    };
    let mut escaped = false;
    let end = quoted.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    let (value, rest) = quoted.split_at(end.unwrap_or(quoted.len()));
    (name.trim(), value, rest.trim_start_matches('"').trim_start())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn the_next_link_is_found_among_others() {
        for (values, found) in [
            (&[r#"<https://a.example.com/x?after=1>; rel="next""#][..], Some("https://a.example.com/x?after=1")),
            (&[r#"<https://a/s>; rel="self", <https://a/n>; rel="next""#], Some("https://a/n")),
            (&[r#"<https://a/s>; rel="self""#, "<https://a/n>;rel=next"], Some("https://a/n")),
            (&[r#"<https://a/n?x=1,2;3>; title="a"; rel="prev next""#], Some("https://a/n?x=1,2;3")),
            (
                &[r#"<https://a/p>; title="<https://evil/>; rel=next"; rel=prev, <https://a/n>; REL=Next"#],
                Some("https://a/n"),
            ),
            (&[r#"<https://a/p>; title="a \"b, <https://evil/>; rel=next"; rel=prev"#], None),
            (&[r#"<https://a/n>; rel=prev; rel=next"#], None),
            (&[r#"<https://a/n>; anchor="/other"; rel=next"#], None),
            (&["<https://a/n>; crossorigin; rel=next"], Some("https://a/n")),
            (&[r#"<https://a/s>; rel="self""#], None),
            (&[r#"<https://a/s"#, r#"<https://a/n>; rel="next"#], Some("https://a/n")),
            (&["nonsense"], None),
            (&[], None),
        ] {
            let headers = values.iter().map(|value| (LINK, value.parse().unwrap()));
            let headers = headers.fold(HeaderMap::new(), |mut all, (name, value): (_, HeaderValue)| {
                all.append(name, value);
                all
            });
            assert_eq!(next(&headers).as_deref(), found, "{values:?}");
        }
    }

    #[test]
    fn of_a_link_that_names_its_host_otherwise_the_query_counts() {
        let start = Url::parse("https://hr.example.com/gateway/people?x=1").unwrap();
        for next in ["http://hr.internal:8080/people?after=2&x=1", "?after=2&x=1", "//evil.example.org/?after=2&x=1"] {
            let found = by_query(&start, next).map(|url| url.to_string());
            assert_eq!(found, Ok("https://hr.example.com/gateway/people?after=2&x=1".to_owned()), "{next}");
        }
        for next in ["/people", "https://[", "https://hr.example.com/people?"] {
            assert!(matches!(by_query(&start, next), Err(Failure::WrongFormat(_))), "{next}");
        }
    }

    #[test]
    fn a_link_leads_to_no_other_host_scheme_or_port_and_carries_no_credential() {
        let start = Url::parse("https://hr.example.com/api/people?x=1").unwrap();
        for good in ["/api/people?x=2", "?x=2", "https://hr.example.com:443/other", "https://HR.example.com/x"] {
            assert!(follow(&start, good).is_ok(), "{good}");
        }
        for bad in [
            "https://evil.example.org/",
            "//evil.example.org/",
            "http://hr.example.com/",
            "https://hr.example.com:8443/",
            "https://hr.example.com.evil.example.org/",
            "https://me@hr.example.com/",
            "https://hr.example.com@evil.example.org/",
            r"\\evil.example.org/",
            "file:///etc/passwd",
        ] {
            assert!(matches!(follow(&start, bad), Err(Failure::AddressRefused(_))), "{bad}");
        }
        assert!(matches!(follow(&start, "https://["), Err(Failure::WrongFormat(_))));
    }
}
