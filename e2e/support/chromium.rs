//! A real Chromium, of Debian's package, driven by its DevTools protocol over two pipes: no driver and no port.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::debian;
use super::installation::suffix;

/// Longest wait for an answer of the browser.
const PATIENCE: Duration = Duration::from_secs(120);

/// The browser, which ends with this value.
pub struct Chromium {
    child: Child,
    directory: PathBuf,
    to: File,
    from: Receiver<Value>,
    next: u64,
    /// Events that came and nobody has looked at yet.
    events: Vec<Value>,
}

/// A tab of it.
pub struct Tab(String);

fn installed() -> PathBuf {
    let there =
        || ["/usr/bin/chromium", "/usr/bin/chromium-browser"].into_iter().map(PathBuf::from).find(|path| path.exists());
    debian::or_get("Chromium", &debian::install("chromium fonts-dejavu-core"), there)
}

impl Chromium {
    /// Starts one with a folder of its own, for which these names are those of this machine too.
    pub fn start(names: &[&str]) -> Self {
        let path = installed();
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chromium-{}", suffix()));
        fs::create_dir_all(&directory).unwrap();
        let (to, from) = (directory.join("to"), directory.join("from"));
        assert!(Command::new("mkfifo").args([&to, &from]).status().unwrap().success());
        let rules: Vec<String> = names.iter().map(|name| format!("MAP {name} 127.0.0.1")).collect();
        let child = Command::new("sh")
            .args(["-c", "to=$1 from=$2 && shift 2 && exec \"$@\" 3<\"$to\" 4>\"$from\"", "chromium"])
            .args([&to, &from, &path])
            // Without a sandbox only because these tests run as root; the pages that are opened are our own.
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args([
                "--disable-background-networking",
                "--disable-extensions",
                "--no-proxy-server",
                "--remote-debugging-pipe",
            ])
            .args(["--force-color-profile=srgb", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", directory.display()))
            .arg(format!("--host-resolver-rules={}", rules.join(",")))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(directory.join("log")).unwrap())
            .spawn()
            .unwrap();
        let to = File::options().write(true).open(to).unwrap();
        let mut answers = BufReader::new(File::open(from).unwrap());
        let (send, receive) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while answers.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop_if(|last| *last == 0);
                let Ok(value) = serde_json::from_slice(&message) else { break };
                if send.send(value).is_err() {
                    break;
                }
                message.clear();
            }
        });
        Self { child, directory, to, from: receive, next: 0, events: Vec::new() }
    }

    /// Asks for something, and gives the result; what fails is a failed test.
    pub fn ask(&mut self, tab: Option<&Tab>, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(tab) = tab {
            message["sessionId"] = json!(tab.0);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        loop {
            let answer = self.from.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{method}: {}", self.log()));
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Opens a tab that says of everything that goes wrong in it.
    pub fn tab(&mut self) -> Tab {
        let target = self.ask(None, "Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let tab = Tab(self.ask(None, "Target.attachToTarget", attach)["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network", "Audits"] {
            self.ask(Some(&tab), &format!("{domain}.enable"), json!({}));
        }
        self.ask(Some(&tab), "Page.setLifecycleEventsEnabled", json!({"enabled": true}));
        tab
    }

    /// Goes to an address, and waits until it is loaded; gives the code of the response.
    pub fn goes(&mut self, tab: &Tab, url: &str) -> u64 {
        self.events.clear();
        let gone = self.ask(Some(tab), "Page.navigate", json!({"url": url}));
        let loader = gone["loaderId"].clone();
        let begun = Instant::now();
        loop {
            let is = |event: &&Value, method: &str| event["method"] == method;
            let loaded = self.events.iter().any(|event| {
                let params = &event["params"];
                is(&event, "Page.lifecycleEvent") && params["loaderId"] == loader && params["name"] == "load"
            });
            let response = self.events.iter().rfind(|event| {
                is(event, "Network.responseReceived")
                    && event["params"]["loaderId"] == loader
                    && event["params"]["type"] == "Document"
            });
            if let (true, Some(response)) = (loaded, response) {
                return response["params"]["response"]["status"].as_u64().unwrap();
            }
            assert!(begun.elapsed() < PATIENCE, "{url} is not loaded: {gone}");
            if let Ok(event) = self.from.recv_timeout(Duration::from_millis(200)) {
                self.events.push(event);
            }
        }
    }

    /// The value of an expression in the page, once it has one.
    pub fn value(&mut self, tab: &Tab, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.ask(Some(tab), "Runtime.evaluate", params);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true in the page.
    pub fn until(&mut self, tab: &Tab, what: &str, expression: &str) {
        let begun = Instant::now();
        while self.value(tab, expression) != json!(true) {
            assert!(begun.elapsed() < super::waiting::PATIENCE, "not in the page: {what}\n{}", self.text(tab));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What somebody reads on the page.
    pub fn text(&mut self, tab: &Tab) -> String {
        self.value(tab, "document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// What the browser found wrong since the tab went to its page: errors, exceptions, what a policy refused.
    pub fn wrong(&mut self, tab: &Tab) -> Vec<String> {
        self.value(tab, "0"); // what came before this answer is here
        let wrong = |event: &Value| match event["method"].as_str()? {
            "Log.entryAdded" if event["params"]["entry"]["level"] == "error" => {
                Some(event["params"]["entry"]["text"].to_string())
            }
            "Runtime.exceptionThrown" => Some(event["params"]["exceptionDetails"].to_string()),
            "Audits.issueAdded" => {
                let issue = &event["params"]["issue"];
                let refused = issue["code"] == "ContentSecurityPolicyIssue";
                refused.then(|| issue["details"].to_string())
            }
            _ => None,
        };
        self.events.iter().filter(|event| event["sessionId"] == json!(tab.0)).filter_map(wrong).collect()
    }

    /// How wide the tab is, and how high.
    pub fn size(&mut self, tab: &Tab, width: u32, height: u32) {
        let params = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.ask(Some(tab), "Emulation.setDeviceMetricsOverride", params);
    }

    /// In the dark or in the light, on a screen or in print.
    pub fn media(&mut self, tab: &Tab, dark: bool, print: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let params = json!({"media": if print { "print" } else { "" }, "features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.ask(Some(tab), "Emulation.setEmulatedMedia", params);
    }

    /// Presses a key.
    pub fn presses(&mut self, tab: &Tab, key: &str, code: u32) {
        for kind in ["rawKeyDown", "char", "keyUp"] {
            if kind == "char" && key != "Enter" {
                continue;
            }
            let text = if kind == "char" { "\r" } else { "" };
            let params = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.ask(Some(tab), "Input.dispatchKeyEvent", params);
        }
    }

    /// A picture of the page, as PNG.
    pub fn picture(&mut self, tab: &Tab) -> Vec<u8> {
        let answer = self.ask(Some(tab), "Page.captureScreenshot", json!({"format": "png"}));
        data_encoding::BASE64.decode(answer["data"].as_str().unwrap().as_bytes()).unwrap()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_dir_all(&self.directory).ok();
    }
}
