//! Which cluster a person at a terminal means, said the way kubectl takes it.

#![cfg_attr(not(feature = "plugin"), allow(dead_code, reason = "the image has fewer commands"))]

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::PostParams;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use secrecy::SecretString;

use super::{Failure, Namespace, ask};
use crate::kube::named::Api;

/// How the API server is reached, and as who. Proxies are those of the kubeconfig (`proxy-url`), else of `HTTPS_PROXY`
/// and `NO_PROXY`.
#[derive(Clone, Debug, Args)]
pub struct Cluster {
    #[command(flatten)]
    namespace: Namespace,
    /// The kubeconfig file. Default: $KUBECONFIG, ~/.kube/config, or the pod's ServiceAccount
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    kubeconfig: Option<PathBuf>,
    /// The kubeconfig context to use
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    context: Option<String>,
    /// The user to impersonate
    #[arg(long = "as", value_name = "USER", help_heading = "Cluster")]
    user: Option<String>,
    /// A group to impersonate; may be given several times
    #[arg(long = "as-group", value_name = "GROUP", requires = "user", help_heading = "Cluster")]
    groups: Vec<String>,
}

impl Cluster {
    /// The namespace Rollcall is installed in.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace.namespace
    }

    /// A client with the rights of the person, or of the user they act as.
    ///
    /// # Errors
    /// When no configuration can be used: which part of it, and why.
    pub async fn client(&self) -> Result<Client, Failure> {
        let mut config = self.config().await?;
        config.connect_timeout = Some(Duration::from_secs(10));
        config.read_timeout = Some(Duration::from_secs(60));
        Client::try_from(config).map_err(|error| unusable(&error))
    }

    /// A client for the same API server that has this token and nothing else.
    ///
    /// # Errors
    /// When no configuration can be used.
    pub async fn client_with_token(&self, token: &SecretString) -> Result<Client, Failure> {
        let mut config = self.config().await?;
        config.auth_info = AuthInfo { token: Some(token.clone()), ..AuthInfo::default() };
        config.connect_timeout = Some(Duration::from_secs(10));
        config.read_timeout = Some(Duration::from_secs(60));
        Client::try_from(config).map_err(|error| unusable(&error))
    }

    async fn config(&self) -> Result<Config, Failure> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let read = match &self.kubeconfig {
            Some(path) => match Kubeconfig::read_from(path) {
                Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options).await,
                Err(error) => Err(error),
            },
            None => Config::from_kubeconfig(&options).await,
        };
        let mut config = match read {
            Ok(config) => config,
            // Nothing was asked for, and there is no file: this may be a pod.
            Err(error) if self.kubeconfig.is_none() && self.context.is_none() && absent(&error) => {
                Config::incluster().map_err(|_| unusable(&error))?
            }
            Err(error) => return Err(unusable(&error)),
        };
        if let Some(user) = &self.user {
            config.auth_info.impersonate = Some(user.clone());
            config.auth_info.impersonate_groups = Some(self.groups.clone());
        }
        Ok(config)
    }
}

/// Whether there is no kubeconfig, which is something else than one that cannot be used.
fn absent(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(error, _) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// The failure with everything that caused it; each cause once, since some texts quote theirs.
fn unusable<E: std::error::Error>(error: &E) -> Failure {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    Failure::Refused(format!("the cluster's configuration cannot be used: {text}"))
}

/// The caller's user name, as the API server knows it.
pub async fn whoami(client: Client) -> Result<String, Failure> {
    let api: Api<SelfSubjectReview> = Api::all(client);
    let review = ask("ask who you are", api.create(&PostParams::default(), &SelfSubjectReview::default())).await?;
    let user = review.status.and_then(|status| status.user_info?.username);
    user.ok_or_else(|| Failure::Refused("the API server does not report your user name".to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        cluster: Cluster,
    }

    const KUBECONFIG: &str = r#"{"apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [
            {"name": "test", "cluster": {"server": "https://test.example.com:6443"}},
            {"name": "prod", "cluster": {"server": "https://prod.example.com:6443", "proxy-url": "http://proxy.example.com:3128"}}],
        "users": [{"name": "grace", "user": {"token": "t"}}],
        "contexts": [
            {"name": "test", "context": {"cluster": "test", "user": "grace"}},
            {"name": "prod", "context": {"cluster": "prod", "user": "grace"}}]}"#;

    async fn config(test: &str, arguments: &[&str]) -> Result<Config, String> {
        let path = std::env::temp_dir().join(format!("rollcall-kubeconfig-{test}-{}", std::process::id()));
        std::fs::write(&path, KUBECONFIG).unwrap();
        let file = path.to_string_lossy().into_owned();
        let line = ["rollcall", "--kubeconfig", &file].into_iter().chain(arguments.iter().copied());
        let config = Line::try_parse_from(line).unwrap().cluster.config().await;
        std::fs::remove_file(&path).ok();
        config.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn the_context_says_the_server_and_its_proxy() {
        let test = config("current", &[]).await.unwrap();
        assert_eq!(test.cluster_url.host(), Some("test.example.com"));
        let prod = config("context", &["--context", "prod"]).await.unwrap();
        assert_eq!(prod.cluster_url.host(), Some("prod.example.com"));
        assert_eq!(prod.proxy_url.unwrap().host(), Some("proxy.example.com"));
    }

    #[tokio::test]
    async fn a_context_that_is_not_there_is_named() {
        let said = config("missing", &["--context", "nowhere"]).await.err().unwrap();
        assert!(said.contains("nowhere"), "{said}");
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_named_with_its_cause() {
        let line = Line::try_parse_from(["rollcall", "--kubeconfig", "/nonexistent/config"]).unwrap();
        let said = line.cluster.config().await.err().unwrap().to_string();
        assert!(said.contains("/nonexistent/config") && said.contains("No such file"), "{said}");
    }

    #[tokio::test]
    async fn acting_as_somebody_takes_their_groups_along() {
        let config = config("as", &["--as", "ada", "--as-group", "ops", "--as-group", "dev"]).await.unwrap();
        assert_eq!(config.auth_info.impersonate.as_deref(), Some("ada"));
        assert_eq!(config.auth_info.impersonate_groups, Some(vec!["ops".to_owned(), "dev".to_owned()]));
        assert!(Line::try_parse_from(["rollcall", "--as-group", "ops"]).is_err(), "groups of nobody");
    }
}
