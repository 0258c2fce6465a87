//! What a rendering read of its data, and which part of the template wrote which part of the output.
//!
//! For explaining a template to whoever writes it. A rendering that nobody asks to explain keeps no trace.

use std::collections::HashMap;
use std::sync::Arc;

use crate::template::context::Context;
use crate::template::context::Meter;
use crate::template::error::place;
use crate::template::function::Call;
use crate::template::json;
use crate::template::json::Style;
use crate::template::lex::Span;
use crate::template::value::Value;

/// Containers of the data that are told apart, reads and pieces of output that are kept: enough for any certificate
/// document, and a bound for templates that loop.
const MOST: usize = 20_000;

/// How deep the data are searched for containers.
const DEEPEST: usize = 100;

/// One read of a value of the data.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Read {
    /// The expression as it stands in the template.
    pub expression: String,
    /// Its line, from 1.
    pub line: usize,
    /// Its column in bytes, from 1.
    pub column: usize,
    /// What it read, from the data's root: `.Token.sub`, `.SANs[0].Value`, however the template got there.
    pub path: String,
    /// What it found; [`Value::Missing`] where there was nothing.
    pub value: Value,
}

impl Read {
    /// The value as JSON; `None` for nothing, and for what JSON has no form for.
    #[must_use]
    pub fn to_json(&self, context: &Context<'_>) -> Option<String> {
        let mut meter = Meter::new(context.limits);
        let mut call = Call { context, meter: &mut meter };
        let json = match self.value {
            Value::Missing => return None,
            _ => json::encode(&mut call, &self.value, Style::Raw).ok()?,
        };
        Some(json.to_str_lossy().into_owned())
    }
}

/// The trace of one rendering.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    text: Arc<str>,
    reads: Vec<Read>,
    written: Vec<Written>,
    output: Vec<u8>,
    finished: bool,
}

/// From where on in the output a part of the template wrote.
#[derive(Clone, Copy, Debug)]
struct Written {
    output: usize,
    template: usize,
    /// Text is copied byte by byte; what an action writes comes from its beginning.
    copied: bool,
}

impl Trace {
    /// Every read, in the order in which each first happened; the same expression reading the same is one.
    #[must_use]
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// What the rendering wrote, as far as it came.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// Whether the rendering came to its end.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.finished
    }

    /// Line and column, both from 1, of what wrote the byte at `position` of the output.
    #[must_use]
    pub fn place_of(&self, position: usize) -> Option<(usize, usize)> {
        let next = self.written.partition_point(|written| written.output <= position);
        let written = self.written.get(next.checked_sub(1)?)?;
        let inside = if written.copied { position - written.output } else { 0 };
        Some(place(&self.text, written.template + inside))
    }
}

/// Keeps the trace while a rendering goes on.
#[derive(Debug)]
pub(super) struct Tracer {
    trace: Trace,
    /// Containers of the data by address. They are held, so that no other value gets the address.
    containers: HashMap<usize, (Value, String)>,
}

impl Tracer {
    pub(super) fn new(text: &Arc<str>, data: &Value) -> Self {
        let trace = Trace { text: Arc::clone(text), ..Trace::default() };
        let mut tracer = Self { trace, containers: HashMap::new() };
        let mut open = vec![(data.clone(), String::new(), DEEPEST)];
        while let Some((value, path, depth)) = open.pop() {
            let Some(address) = address(&value) else { continue };
            if tracer.containers.contains_key(&address) || tracer.containers.len() == MOST || depth == 0 {
                continue;
            }
            match &value {
                Value::Map(map) => open.extend(
                    map.snapshot()
                        .into_iter()
                        .map(|(name, member)| (member, format!("{path}.{}", name.to_str_lossy()), depth - 1)),
                ),
                Value::List(list) => open.extend(
                    list.items()
                        .iter()
                        .enumerate()
                        .map(|(index, item)| (item.clone(), format!("{path}[{index}]"), depth - 1)),
                ),
                Value::Object(object) => {
                    open.extend(
                        object
                            .fields()
                            .into_iter()
                            .flatten()
                            .map(|field| (field.value.clone(), format!("{path}.{}", field.name), depth - 1)),
                    );
                }
                _ => {}
            }
            tracer.containers.insert(address, (value, path));
        }
        tracer
    }

    /// Notes that the expression at `span` followed `names` from `receiver` and found `value`.
    pub(super) fn read(&mut self, span: Span, receiver: &Value, names: &[Arc<str>], value: &Value) {
        let known = address(receiver).and_then(|address| self.containers.get(&address));
        let Some((_, start)) = known else { return };
        let mut path = start.clone();
        for name in names {
            path.push('.');
            path.push_str(name);
        }
        if path.is_empty() {
            path.push('.');
        }
        let (line, column) = place(&self.trace.text, span.start as usize);
        let same = |read: &Read| (read.line, read.column) == (line, column) && read.path == path;
        // A loop comes back to what it has just read.
        let recent = self.trace.reads.len().saturating_sub(200);
        if self.trace.reads.len() == MOST
            || self.trace.reads.get(recent..).is_some_and(|reads| reads.iter().any(same))
        {
            return;
        }
        let expression = span.slice(&self.trace.text).to_owned();
        self.trace.reads.push(Read { expression, line, column, path, value: value.clone() });
    }

    /// Notes that what is written from here on comes from `template`.
    pub(super) fn write(&mut self, output: usize, template: u32, copied: bool) {
        if self.trace.written.len() < MOST {
            self.trace.written.push(Written { output, template: template as usize, copied });
        }
    }

    pub(super) fn finish(self, output: &[u8], finished: bool) -> Trace {
        Trace { output: output.to_vec(), finished, ..self.trace }
    }
}

/// What tells a container from an equal one.
fn address(value: &Value) -> Option<usize> {
    match value {
        Value::Map(map) => Some(map.address()),
        Value::List(list) => Some(list.address()),
        Value::Object(object) => Some(Arc::as_ptr(object).addr()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::SystemClock;
    use crate::entropy::SystemEntropy;
    use crate::template::Context;
    use crate::template::FunctionTable;
    use crate::template::Template;
    use crate::template::Value;
    use crate::template::trace::Trace;

    fn trace(text: &str) -> Trace {
        let data = serde_json::json!({"t": {"s": "x", "list": [{"k": "a"}, {"k": "b"}]}, "u": "y"});
        let (clock, entropy) = (SystemClock, SystemEntropy::new());
        let template = Template::parse("t", text, &FunctionTable::standard()).unwrap();
        template.render_traced(&Value::from_json(&data), &Context::new(&clock, &entropy)).1
    }

    fn check(text: &str, expected: &[&str]) {
        let reads: Vec<String> = trace(text)
            .reads()
            .iter()
            .map(|read| format!("{}:{} {} {}", read.line, read.column, read.expression, read.path))
            .collect();
        assert_eq!(reads, expected, "{text}");
    }

    #[test]
    fn reads_have_a_path_from_the_root() {
        check("{{ .t.s }}\n{{ .u | print }}", &["1:4 .t.s .t.s", "2:4 .u .u"]);
        check(
            "{{ with .t }}{{ .s }}{{ .none.k }}{{ end }}",
            &["1:9 .t .t", "1:17 .s .t.s", "1:25 .none.k .t.none.k"],
        );
        check("{{ $t := .t }}{{ $t.s }}", &["1:10 .t .t", "1:18 $t.s .t.s"]);
        check(
            "{{ range .t.list }}{{ .k }}{{ end }}",
            &["1:10 .t.list .t.list", "1:23 .k .t.list[0].k", "1:23 .k .t.list[1].k"],
        );
        check("{{ (index .t.list 1).k }}", &["1:11 .t.list .t.list", "1:4 (index .t.list 1).k .t.list[1].k"]);
        check(
            "{{ if .none.x }}{{ end }}{{ range 3 }}{{ $.u }}{{ end }}",
            &["1:7 .none.x .none.x", "1:42 $.u .u"],
        );
        check("{{ if . }}{{ end }}", &["1:7 . ."]);
    }

    #[test]
    fn output_leads_back_to_the_template() {
        let trace = trace("ab\ncd {{- .t.s }}{{ if .u }}\nef{{ end }}");
        assert_eq!(trace.output(), b"ab\ncdx\nef");
        let places: Vec<_> = (0..9).map(|position| trace.place_of(position).unwrap()).collect();
        let expected = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 8), (2, 26), (3, 1), (3, 2)];
        assert_eq!(places, expected);
    }
}
