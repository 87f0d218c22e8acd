//! AWS Signature Version 4, as S3-compatible servers ask for it: signed headers, and the body by its SHA-256.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use ring::{digest, hmac};

/// Whoever signs.
pub struct Credentials {
    /// Id of the access key.
    pub id: String,
    /// The secret key.
    pub secret: String,
    /// Of credentials for some hours.
    pub session: Option<String>,
}

/// A request to be signed.
pub struct Request<'a> {
    /// Such as `PUT`.
    pub method: &'a str,
    /// Host, with a port that is not the scheme's own.
    pub host: &'a str,
    /// Path, of characters that need no encoding.
    pub path: &'a str,
    /// What goes along, names in lower case; all of it is signed.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: &'a [u8],
}

/// All headers of the request, and the one that signs them. No query is signed, for there is none.
pub fn sign(
    request: Request<'_>,
    credentials: &Credentials,
    region: &str,
    at: Timestamp,
) -> Vec<(&'static str, String)> {
    let Request { method, host, path, mut headers, body } = request;
    let (day, instant) = (at.strftime("%Y%m%d").to_string(), at.strftime("%Y%m%dT%H%M%SZ").to_string());
    let hashed = sha256(body);
    headers.push(("host", host.to_owned()));
    headers.push(("x-amz-content-sha256", hashed.clone()));
    headers.push(("x-amz-date", instant.clone()));
    headers.extend(credentials.session.iter().map(|session| ("x-amz-security-token", session.clone())));
    headers.sort();
    let signed = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let listed: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let canonical = format!("{method}\n{path}\n\n{listed}\n{signed}\n{hashed}");
    let scope = format!("{day}/{region}/s3/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{instant}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let mut key = format!("AWS4{}", credentials.secret).into_bytes();
    for part in [day.as_str(), region, "s3", "aws4_request"] {
        key = mac(&key, part);
    }
    let signature = HEXLOWER.encode(&mac(&key, &to_sign));
    let id = &credentials.id;
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={id}/{scope},SignedHeaders={signed},Signature={signature}");
    headers.push(("authorization", authorization));
    headers
}

fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of Amazon's own page.
    #[test]
    fn the_published_examples_are_signed_as_published() {
        let credentials = Credentials {
            id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            session: None,
        };
        let at = "2013-05-24T00:00:00Z".parse().unwrap();
        let sign = |method, path, headers, body| {
            let host = "examplebucket.s3.amazonaws.com";
            let request = Request { method, host, path, headers, body };
            sign(request, &credentials, "us-east-1", at).pop().unwrap().1
        };
        let get = sign("GET", "/test.txt", vec![("range", "bytes=0-9".to_owned())], b"");
        assert!(get.ends_with("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"), "{get}");
        let headers = vec![
            ("date", "Fri, 24 May 2013 00:00:00 GMT".to_owned()),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY".to_owned()),
        ];
        let put = sign("PUT", "/test%24file.text", headers, b"Welcome to Amazon S3.");
        assert!(put.ends_with("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"), "{put}");
    }
}
