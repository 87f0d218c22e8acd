//! Addresses that may be kept of a person: none that opens something to anybody who has it.

use reqwest::Url;

/// What signed and otherwise secret addresses carry behind the path, in lower case: S3 and its kin (`X-Amz-Signature`),
/// Google's (`X-Goog-Signature`), Azure's (`sig`), CloudFront's (`Signature`, `Policy`, `Key-Pair-Id`), and tokens of all kinds.
const SECRET: [&str; 15] = [
    "sig",
    "token",
    "x-amz-",
    "x-goog-",
    "x-oss-",
    "policy",
    "key",
    "secret",
    "credential",
    "passw",
    "pwd",
    "auth",
    "jwt",
    "session",
    "hmac",
];
/// Shortest value of letters and digits that is taken for a secret, whatever it is called.
const LONG: usize = 32;

/// Whether an address may be kept: of https, without a user, and without anything that looks like a secret.
pub(super) fn may_be_kept(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let plain = url.scheme() == "https" && url.username().is_empty() && url.password().is_none();
    plain && !url.path_segments().into_iter().flatten().any(opens) && !behind(&url)
}

/// A signed token, or a session, in a path.
fn opens(segment: &str) -> bool {
    let segment = segment.to_ascii_lowercase();
    (segment.starts_with("eyj") && segment.contains('.')) || segment.contains(";jsessionid")
}

fn behind(url: &Url) -> bool {
    let fragment = url.fragment().unwrap_or_default();
    let pairs = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned()));
    let behind = pairs.chain([(fragment.to_owned(), String::new())]);
    behind.into_iter().any(|(name, value)| {
        let both = format!("{name}={value}").to_lowercase();
        SECRET.iter().any(|word| both.contains(word)) || long(&value) || long(&name)
    })
}

fn long(text: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'/' | b'=' | b'.');
    text.len() >= LONG && text.bytes().all(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_opens_something_to_whoever_has_it_is_not_kept() {
        for kept in [
            "https://images.example.com/people/7.jpg",
            "https://images.example.com/avatar/5d41402abc4b2a76b9719d911017c592?s=80&d=mm",
            "https://images.example.com/7.png#face",
        ] {
            assert!(may_be_kept(kept), "{kept}");
        }
        for refused in [
            "http://images.example.com/7.jpg",
            "ftp://images.example.com/7.jpg",
            "data:image/png;base64,AAAA",
            "/people/7.jpg",
            "https://ada:s3cret@images.example.com/7.jpg",
            "https://bucket.s3.example.com/7.jpg?X-Amz-Algorithm=AWS4&X-Amz-Expires=900",
            "https://bucket.s3.example.com/7.jpg?X-Amz-Signature=00",
            "https://storage.example.com/7.jpg?X-Goog-Signature=00",
            "https://acme.blob.example.com/7.jpg?sv=2024&sig=00",
            "https://cdn.example.com/7.jpg?Expires=1&Signature=00&Key-Pair-Id=K",
            "https://cdn.example.com/7.jpg?access_token=00",
            "https://cdn.example.com/7.jpg?apiKey=00",
            "https://cdn.example.com/7.jpg?%73ig=00",
            "https://cdn.example.com/7.jpg#token=00",
            "https://cdn.example.com/7.jpg?h=0123456789abcdef0123456789abcdef",
            "https://cdn.example.com/eyJhbGciOi.eyJzdWIi.c2ln/7.jpg",
            "https://cdn.example.com/7.jpg;jsessionid=00",
        ] {
            assert!(!may_be_kept(refused), "{refused}");
        }
    }
}
