//! What the head of an answer means, and its body within its bound.

use std::time::Duration;

use futures::StreamExt as _;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};

use super::super::definition::{Reset, ResetSays};
use super::Wrong;
use domain::employee::Failure;

/// Says what an answer's head means.
///
/// `made` is whether something that was made or will be (201, 202) is an answer too.
pub(super) fn judge(response: &Response, made: bool) -> Result<(), Wrong> {
    let after = retry_after(response.headers());
    let failure = match response.status() {
        StatusCode::OK => return readable(response.headers()),
        StatusCode::CREATED | StatusCode::ACCEPTED if made => return readable(response.headers()),
        StatusCode::NO_CONTENT => return Ok(()),
        StatusCode::TOO_MANY_REQUESTS => return Err(Wrong::Throttled(after)),
        StatusCode::SERVICE_UNAVAILABLE if after.is_some() => return Err(Wrong::Throttled(after)),
        StatusCode::UNAUTHORIZED => Failure::Unauthorised("the source refused the credential (401)".to_owned()),
        StatusCode::FORBIDDEN => Failure::Forbidden,
        StatusCode::NOT_FOUND => Failure::Missing("nothing is there (404)".to_owned()),
        StatusCode::NOT_MODIFIED => Failure::Status(304), // nobody asked on condition
        status if status.is_redirection() => Failure::AddressRefused(elsewhere(status, response)),
        status if status.is_server_error() => return Err(Wrong::Fault(Failure::Status(status.as_u16()))),
        status => Failure::Status(status.as_u16()),
    };
    Err(Wrong::Final(failure))
}

/// A login page with status 200 is no answer. Nor is one in an encoding nobody asked for: what was asked for is decoded
/// already, and its header gone.
fn readable(headers: &HeaderMap) -> Result<(), Wrong> {
    let encoding = header(headers, CONTENT_ENCODING).unwrap_or_default().trim();
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
        return Err(Wrong::Final(Failure::WrongFormat("the response is in an encoding nobody asked for".to_owned())));
    }
    let kind = header(headers, CONTENT_TYPE).unwrap_or_default().trim_start().to_ascii_lowercase();
    if kind.starts_with("text/html") || kind.starts_with("application/xhtml") {
        return Err(Wrong::Final(Failure::WrongFormat(
            "the response is a web page (text/html); often it is a sign-in page".to_owned(),
        )));
    }
    Ok(())
}

/// Where a redirect leads: its host, for it is most often a login.
fn elsewhere(status: StatusCode, response: &Response) -> String {
    let target = header(response.headers(), LOCATION).and_then(|to| response.url().join(to).ok());
    let host = target.as_ref().and_then(Url::host_str).unwrap_or("nowhere");
    format!("a redirect ({}) to {host}; redirects are not followed", status.as_u16())
}

/// The wait a source asks for: seconds, or a date, which is compared with the source's own clock (RFC 9110, 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let asked = header(headers, RETRY_AFTER)?.trim();
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| DateTimeParser::new().parse_timestamp(text).ok();
    let (then, now) = (date(asked)?, date(header(headers, DATE)?)?);
    Some(Duration::try_from(then.duration_since(now)).unwrap_or_default())
}

/// The wait a source asks for in a header of its own.
pub(super) fn reset_after(headers: &HeaderMap, reset: &Reset) -> Option<Duration> {
    let number: u64 = headers.get(&reset.header)?.to_str().ok()?.trim().parse().ok()?;
    match reset.says {
        ResetSays::Seconds => Some(Duration::from_secs(number)),
        ResetSays::Milliseconds => Some(Duration::from_millis(number)),
        ResetSays::EpochSeconds => {
            let now = DateTimeParser::new().parse_timestamp(header(headers, DATE)?).ok()?;
            let wait = i64::try_from(number).ok()?.saturating_sub(now.as_second());
            Some(Duration::from_secs(u64::try_from(wait).unwrap_or_default()))
        }
    }
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The whole body, decompressed, as long as it stays within its bound.
pub(super) async fn body(response: Response, largest: usize) -> Result<Vec<u8>, Wrong> {
    let too_large = || Wrong::Final(Failure::TooLarge);
    if response.content_length().is_some_and(|length| length > largest as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let cut =
            |_| Wrong::Fault(Failure::Truncated("the connection was lost in the middle of the response".to_owned()));
        let piece = piece.map_err(cut)?;
        if body.len() + piece.len() > largest {
            return Err(too_large());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_read_in_seconds_or_as_a_date_of_the_sources_own_clock() {
        let now = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (asked, date, wait) in [
            ("7", None, Some(7)),
            (" 0 ", None, Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(now), Some(30)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(now), Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", None, None),
            ("soon", Some(now), None),
            ("-1", None, None),
        ] {
            let mut headers = HeaderMap::from_iter([(RETRY_AFTER, asked.parse().unwrap())]);
            headers.extend(date.map(|date| (DATE, date.parse().unwrap())));
            assert_eq!(retry_after(&headers), wait.map(Duration::from_secs), "{asked}");
        }
    }

    #[test]
    fn the_wait_is_read_from_a_header_of_the_sources_own() {
        let now = "Sun, 06 Nov 1994 08:49:37 GMT"; // 784111777
        for (says, number, wait) in [
            (ResetSays::Seconds, "7", Some(Duration::from_secs(7))),
            (ResetSays::Milliseconds, "250", Some(Duration::from_millis(250))),
            (ResetSays::EpochSeconds, "784111787", Some(Duration::from_secs(10))),
            (ResetSays::EpochSeconds, "784111000", Some(Duration::ZERO)),
            (ResetSays::Seconds, "soon", None),
        ] {
            let reset = Reset { header: "x-reset".to_owned(), says };
            let headers = [("x-reset", number), ("date", now)];
            let headers = headers.map(|(name, value)| (HeaderName::try_from(name).unwrap(), value.parse().unwrap()));
            assert_eq!(reset_after(&HeaderMap::from_iter(headers), &reset), wait, "{number}");
        }
    }
}
