//! The real API server every story runs against, and how an admin reaches it.
//!
//! One control plane serves the whole test process. It is started and ended by `make test`, because a Rust test
//! process has no last moment in which it could take one down.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::{await_condition, conditions};
use tokio::sync::OnceCell;

/// The API server, as an admin and as anybody reaches it.
pub struct Cluster {
    /// An admin's.
    pub kubeconfig: PathBuf,
    /// `https://127.0.0.1:…`
    pub server: String,
    authority: Vec<Vec<u8>>,
}

/// The API server of this test process, with the definitions of the four kinds in place.
pub async fn cluster() -> &'static Cluster {
    static READY: OnceCell<()> = OnceCell::const_new();
    let cluster = find();
    READY.get_or_init(|| define_kinds(cluster.admin())).await;
    cluster
}

fn find() -> &'static Cluster {
    static FOUND: OnceLock<Cluster> = OnceLock::new();
    FOUND.get_or_init(|| {
        let Some(kubeconfig) = std::env::var_os("ROLLCALL_E2E_KUBECONFIG").map(PathBuf::from) else {
            panic!("ROLLCALL_E2E_KUBECONFIG is not set: run `make test`, which starts a control plane and sets it");
        };
        // Both kube and reqwest bring rustls; they are to use the same one of its back ends.
        rustls::crypto::ring::default_provider().install_default().ok();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let path = kubeconfig.clone();
        let config = std::thread::spawn(move || runtime.block_on(config(&path))).join().unwrap();
        Cluster {
            kubeconfig,
            server: config.cluster_url.to_string().trim_end_matches('/').to_owned(),
            authority: config.root_cert.expect("the kubeconfig carries the cluster's authority"),
        }
    })
}

async fn config(path: &Path) -> kube::Config {
    let kubeconfig = Kubeconfig::read_from(path).expect("the kubeconfig of the stories can be read");
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.read_timeout = Some(Duration::from_secs(60));
    config
}

impl Cluster {
    /// A client with an admin's rights. Every test makes its own: connections belong to the test's runtime.
    pub async fn admin(&self) -> Client {
        Client::try_from(config(&self.kubeconfig).await).unwrap()
    }

    /// An admin who pretends to be somebody else, so that the API server judges the call as theirs.
    pub async fn acting_as(&self, user: &str, groups: &[&str]) -> Client {
        let mut config = config(&self.kubeconfig).await;
        config.auth_info.impersonate = Some(user.to_owned());
        config.auth_info.impersonate_groups = Some(groups.iter().map(|group| (*group).to_owned()).collect());
        Client::try_from(config).unwrap()
    }

    /// The same, asked of another API server of this cluster, which listens at this loopback address.
    pub async fn acting_at(&self, address: &str, user: &str, groups: &[&str]) -> Client {
        let mut config = config(&self.kubeconfig).await;
        config.auth_info.impersonate = Some(user.to_owned());
        config.auth_info.impersonate_groups = Some(groups.iter().map(|group| (*group).to_owned()).collect());
        config.cluster_url = self.at(address).parse().unwrap();
        Client::try_from(config).unwrap()
    }

    /// Where another API server of this cluster listens: the port is the same.
    pub fn at(&self, address: &str) -> String {
        self.server.replace("127.0.0.1", address)
    }

    /// Somebody with a token, and nothing else.
    pub async fn with_token(&self, token: &str) -> Client {
        let kubeconfig = Kubeconfig::from_yaml(&self.kubeconfig_for(&self.server, token)).unwrap();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        Client::try_from(config).unwrap()
    }

    /// Plain HTTP that trusts the cluster and brings no credential of its own.
    pub fn plain_http(&self) -> reqwest::Client {
        let roots = self.authority.iter().map(|der| reqwest::Certificate::from_der(der).unwrap());
        reqwest::Client::builder().no_proxy().tls_certs_only(roots).timeout(Duration::from_secs(30)).build().unwrap()
    }

    /// Plain HTTP by somebody with a client certificate; both are PEM.
    pub fn http_with(&self, certificate: &str, key: &str) -> reqwest::Client {
        let roots = self.authority.iter().map(|der| reqwest::Certificate::from_der(der).unwrap());
        let identity = reqwest::Identity::from_pem(format!("{key}{certificate}").as_bytes()).unwrap();
        let builder = reqwest::Client::builder().no_proxy().tls_certs_only(roots).identity(identity);
        builder.timeout(Duration::from_secs(30)).build().unwrap()
    }

    /// The same, for answers that take as long as a watch.
    pub fn patient_http(&self) -> reqwest::Client {
        let roots = self.authority.iter().map(|der| reqwest::Certificate::from_der(der).unwrap());
        reqwest::Client::builder().no_proxy().tls_certs_only(roots).build().unwrap()
    }

    /// A kubeconfig for somebody with a token, at the API server or at something in front of it.
    pub fn kubeconfig_for(&self, server: &str, token: &str) -> String {
        self.kubeconfig_of(server, &serde_json::json!({"token": token}))
    }

    /// The same, for somebody with this as their `user`.
    pub fn kubeconfig_of(&self, server: &str, user: &serde_json::Value) -> String {
        let mut pem = String::new();
        for der in &self.authority {
            let body = data_encoding::BASE64.encode(der);
            write!(pem, "-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n").unwrap();
        }
        let authority = data_encoding::BASE64.encode(pem.as_bytes());
        serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "story",
            "clusters": [{"name": "story", "cluster": {"server": server, "certificate-authority-data": authority}}],
            "users": [{"name": "story", "user": user}],
            "contexts": [{"name": "story", "context": {"cluster": "story", "user": "story"}}],
        })
        .to_string()
    }

    /// The API server's audit log: every call of a ServiceAccount outside kube-system, one JSON object a line.
    pub fn audit_log(&self) -> PathBuf {
        let log = self.kubeconfig.with_file_name("audit.log");
        assert!(
            log.exists(),
            "{} is missing: these stories count calls and need the control plane of `make test`",
            log.display()
        );
        log
    }

    /// `kubectl` with an admin's rights.
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new(tool("ROLLCALL_CLUSTER_BIN", "cluster"));
        command.arg("kubectl").env("KUBECONFIG", &self.kubeconfig).stdin(Stdio::null());
        command
    }
}

/// Helm, which the same Go module builds.
pub fn helm() -> Command {
    Command::new(tool("ROLLCALL_HELM_BIN", "helm"))
}

/// A program that `make tools` built.
pub fn tool(variable: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let home = || std::env::home_dir().expect("a home directory").join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()).map_or_else(home, PathBuf::from);
    cache.join("rollcall/bin").join(name)
}

async fn define_kinds(admin: impl Future<Output = Client>) {
    let definitions: Api<CustomResourceDefinition> = Api::all(admin.await);
    for definition in rollcall::api::definitions() {
        let name = definition.metadata.name.clone().unwrap();
        let apply = PatchParams::apply("e2e").force();
        definitions.patch(&name, &apply, &Patch::Apply(&definition)).await.unwrap();
        let established = await_condition(definitions.clone(), &name, conditions::is_crd_established());
        tokio::time::timeout(Duration::from_secs(30), established).await.expect("the kinds are served").unwrap();
    }
}
