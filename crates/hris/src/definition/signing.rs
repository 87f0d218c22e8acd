//! The words of a definition that say how a request signs in.
//!
//! Names in braces are keys of the Secret, or parameters; `{base64 name}` is the same in base64.

use std::collections::BTreeMap;

use serde::Deserialize;

/// How a request signs in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Auth {
    /// Headers of every request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Parameters of every query.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Basic (RFC 7617).
    #[serde(default)]
    pub basic: Option<Basic>,
    /// A token that is asked for first.
    #[serde(default)]
    pub token: Option<Token>,
    /// A certificate that is shown when the connection is made (mutual TLS), for tokens and for data.
    #[serde(default)]
    pub client_certificate: Option<ClientCertificate>,
}

/// User name and password.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

/// A certificate and its key, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificate {
    /// The certificate, and those between it and its authority.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// A token that is asked for first: OAuth 2.0 client credentials and password grants (RFC 6749), or a login.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Token {
    /// Where it is asked for: `https://…`.
    pub url: String,
    /// How it is asked for.
    #[serde(default)]
    pub method: Method,
    /// How the body is written.
    #[serde(default)]
    pub send: Send,
    /// What is sent with a POST. In JSON, a dot in a name leads into an object.
    #[serde(default)]
    pub body: BTreeMap<String, String>,
    /// Headers of this request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What this request signs in with.
    #[serde(default)]
    pub basic: Option<Basic>,
    /// Path to the token in the answer.
    #[serde(default = "access_token")]
    pub path: String,
    /// The header of the answer that has the token, where its body has none.
    #[serde(default)]
    pub at: Option<AtHeader>,
    /// Path to the time it is good for; where the answer has none, it is good until it is refused.
    #[serde(default = "expires_in")]
    pub expires_in: String,
    /// That time is in milliseconds, not in seconds.
    #[serde(default)]
    pub milliseconds: bool,
    /// The header that carries it.
    #[serde(default = "authorization")]
    pub header: String,
    /// What stands in that header, with `{token}` for the token.
    #[serde(default = "bearer")]
    pub value: String,
    /// That a refresh token stays the same after each use.
    #[serde(default)]
    pub refresh_token_rotates: Option<bool>,
    /// A refresh token that is another one after each use, and is kept in the Secret.
    #[serde(default)]
    pub refresh_token: Option<RefreshToken>,
    /// What is signed for this request: `{assertion}` in `body`.
    #[serde(default)]
    pub assertion: Option<Assertion>,
}

/// A refresh token that is another one after each use (RFC 6749, 6; RFC 9700, 4.14).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefreshToken {
    /// The key of the Secret that has it, and is written.
    pub key: String,
    /// Path to the next one in the answer.
    #[serde(default = "refresh_token")]
    pub path: String,
}

fn refresh_token() -> String {
    "refresh_token".to_owned()
}

/// What is signed for one sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Assertion {
    /// A JSON Web Token (RFC 7523).
    Jwt(Jwt),
    /// An assertion of SAML 2.0 (RFC 7522), in XML.
    Saml(Saml),
}

/// A JSON Web Token. `iat`, `exp` and `jti` are added to its claims.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Jwt {
    /// How it is signed.
    pub algorithm: Algorithm,
    /// The key: PEM, or for HS256 the secret.
    pub key: String,
    /// What the source calls the key.
    #[serde(default)]
    pub key_id: Option<String>,
    /// What it says.
    pub claims: BTreeMap<String, String>,
    /// Seconds it is good for.
    #[serde(default = "five_minutes")]
    pub lifetime: u32,
}

/// How a JSON Web Token is signed (RFC 7518, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Algorithm {
    /// RSA.
    Rs256,
    /// P-256.
    Es256,
    /// A secret that both sides know.
    Hs256,
}

/// An assertion of SAML 2.0, signed with RSA and SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Saml {
    /// The key, in PEM.
    pub key: String,
    /// The certificate that is shown with the signature, in PEM.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Who says it.
    pub issuer: String,
    /// Whose name it is in.
    pub name_id: String,
    /// For whom.
    pub audience: String,
    /// Where it is sent to.
    pub recipient: String,
    /// What else it says.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Seconds it is good for.
    #[serde(default = "five_minutes")]
    pub lifetime: u32,
}

const fn five_minutes() -> u32 {
    300
}

fn access_token() -> String {
    "access_token".to_owned()
}

fn expires_in() -> String {
    "expires_in".to_owned()
}

fn authorization() -> String {
    "Authorization".to_owned()
}

fn bearer() -> String {
    "Bearer {token}".to_owned()
}

/// How a token is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Method {
    /// With a POST.
    #[default]
    Post,
    /// With a GET, which has no body.
    Get,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Send {
    /// As a form.
    #[default]
    Form,
    /// As JSON.
    Json,
}

/// A header of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtHeader {
    /// Its name.
    pub header: String,
}
