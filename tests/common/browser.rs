//! Chromium without a window, told what to do over its DevTools protocol: JSON messages, each ended by a NUL byte, on
//! two pipes (`--remote-debugging-pipe`).

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::path::Path;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

use super::tools;

/// How long the browser may take for one answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page; killed when dropped.
#[derive(Debug)]
pub(crate) struct Browser {
    child: Child,
    orders: ChildStdin,
    messages: mpsc::Receiver<Value>,
    last_id: u64,
    session: String,
    /// The page that is open.
    url: String,
    /// What it reported since the page was asked for.
    events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts Chromium, if there is one. It resolves no names, and takes whatever certificate has the key with this
    /// SHA-256, in base64, above it.
    pub(crate) fn start(trusted_key: &str) -> Option<Self> {
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let Some(program) = names.into_iter().find_map(|name| tools::find(name, &["--version"])) else {
            tools::skip("there is no chromium: apt-get install chromium");
            return None;
        };
        let profile = TempDir::with_prefix("stepless-browser-").expect("a temporary folder");
        // The shell puts the pipes where Chromium looks for them. Its sandbox does not work for root, as whom CI runs,
        // and all that it shows here is ours.
        let mut command = Command::new("sh");
        command
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"])
            .arg(program)
            .args(["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--no-first-run"])
            .args(["--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync", "--no-proxy-server", "--hide-scrollbars"])
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
            .arg(format!("--ignore-certificate-errors-spki-list={trusted_key}"))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("a shell runs");
        let orders = child.stdin.take().expect("stdin is a pipe");
        let answers = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let (sender, messages) = mpsc::channel();
        std::thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("messages are JSON");
                // Nobody listens any more when the test is over.
                let _ = sender.send(message);
            }
        });
        let mut browser = Self {
            child,
            orders,
            messages,
            last_id: 0,
            session: String::new(),
            url: String::new(),
            events: Vec::new(),
            _profile: profile,
        };
        let target = browser.order("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        browser.session = browser.order("Target.attachToTarget", attach)["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        for domain in ["Page", "Network", "Log", "Runtime"] {
            browser.order(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// Shows pages on a screen of this width, in CSS pixels, in dark colours or light ones.
    pub(crate) fn screen(&mut self, width: u32, dark: bool) {
        let mobile = width < 600;
        let metrics = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": mobile});
        self.order("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.order("Emulation.setEmulatedMedia", media);
    }

    /// Opens an address and waits until all of the page is there.
    pub(crate) fn open(&mut self, url: &str) {
        self.events.clear();
        self.url = url.to_owned();
        let opened = self.order("Page.navigate", json!({"url": url}));
        assert_eq!(opened["errorText"], Value::Null, "{url}");
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.receive();
            self.events.push(event);
        }
    }

    /// The value of an expression in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let order = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let result = self.order("Runtime.evaluate", order);
        assert_eq!(result["exceptionDetails"], Value::Null, "{expression}");
        result["result"]["value"].clone()
    }

    /// The addresses that the page asked for.
    pub(crate) fn requests(&self) -> Vec<&str> {
        let requests = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        requests.filter_map(|event| event["params"]["request"]["url"].as_str()).collect()
    }

    /// What the browser complained about: violations of the policy, errors, whatever is in the console; not that the
    /// page itself came with a status of 404.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let complaints = self.events.iter().filter_map(|event| match event["method"].as_str()? {
            "Log.entryAdded"
                if event["params"]["entry"]["source"] == "network"
                    && event["params"]["entry"]["url"] == self.url =>
            {
                None
            }
            "Log.entryAdded" => Some(event["params"]["entry"]["text"].to_string()),
            "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" => Some(event["params"].to_string()),
            _ => None,
        });
        complaints.collect()
    }

    /// Writes the page as a PNG, no longer than two screens.
    pub(crate) fn photograph(&mut self, path: &Path) {
        let metrics = self.order("Page.getLayoutMetrics", json!({}));
        let size = &metrics["cssContentSize"];
        let height = size["height"].as_f64().expect("a height").min(1800.0);
        let clip = json!({"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1});
        let order = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let picture = self.order("Page.captureScreenshot", order);
        let picture = STANDARD.decode(picture["data"].as_str().expect("a picture")).expect("base64");
        std::fs::write(path, picture).expect("a picture can be written");
    }

    fn order(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let mut order = json!({"id": self.last_id, "method": method, "params": params});
        if !self.session.is_empty() {
            order["sessionId"] = self.session.clone().into();
        }
        write!(self.orders, "{order}\0").expect("the browser runs");
        self.orders.flush().expect("the browser runs");
        loop {
            let message = self.receive();
            if message["id"] == self.last_id {
                assert_eq!(message["error"], Value::Null, "{method}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    fn receive(&mut self) -> Value {
        self.messages.recv_timeout(PATIENCE).expect("the browser answers")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Closing is orderly and takes the helper processes along; a browser that is stuck is killed.
        let _ = write!(self.orders, "{}\0", json!({"id": 0, "method": "Browser.close"}));
        let _ = self.orders.flush();
        while self.messages.recv_timeout(Duration::from_secs(10)).is_ok() {}
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
