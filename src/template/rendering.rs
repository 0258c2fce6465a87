//! A template as the rest of the crate sees it: parsed once, rendered often.

use std::sync::Arc;

use crate::template::context::Context;
use crate::template::error::ParseError;
use crate::template::error::RenderError;
use crate::template::exec::State;
use crate::template::function::FunctionTable;
use crate::template::parse;
use crate::template::parse::Definitions;
use crate::template::sight::Sight;
use crate::template::trace::Trace;
use crate::template::trace::Tracer;
use crate::template::value::Text;
use crate::template::value::Value;

/// A parsed template: rendered any number of times, from any thread.
///
/// # Examples
///
/// ```
/// use stepless::clock::SystemClock;
/// use stepless::entropy::SystemEntropy;
/// use stepless::template::Context;
/// use stepless::template::FunctionTable;
/// use stepless::template::Template;
/// use stepless::template::Value;
///
/// let template = Template::parse("greeting", "hello {{ .name }}", &FunctionTable::standard())?;
/// let (clock, entropy) = (SystemClock, SystemEntropy::new());
/// let data = Value::map([("name", Value::from("world"))]);
/// let rendered = template.render(&data, &Context::new(&clock, &entropy)).map_err(|error| error.to_string());
/// assert_eq!(rendered.map(|rendered| rendered.bytes), Ok(b"hello world".to_vec()));
/// # Ok::<(), stepless::template::ParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Template {
    name: Text,
    text: Arc<str>,
    definitions: Arc<Definitions>,
    sight: Arc<Sight>,
}

/// What a rendering gives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rendered {
    /// The output; bytes, because templates can write what is not UTF-8.
    pub bytes: Vec<u8>,
}

impl Template {
    /// Parses `text`; `name` is for messages, and for a template that invokes itself.
    ///
    /// # Errors
    ///
    /// [`ParseError`] where Go's parser gives one, for refused functions, and for nesting or length out of bounds.
    pub fn parse(name: &str, text: &str, functions: &FunctionTable) -> Result<Self, ParseError> {
        let definitions = parse::parse(name, text, functions)?;
        let sight = Arc::new(Sight::of(definitions.values()));
        Ok(Self { name: Text::from(name), text: Arc::from(text), definitions: Arc::new(definitions), sight })
    }

    /// Whether the template may read the field at the end of this way from its data, such as
    /// `["Insecure", "CR", "PublicKey"]`. Data without a field that it cannot read renders the same.
    #[must_use]
    pub fn may_read(&self, way: &[&str]) -> bool {
        self.sight.reaches(way)
    }

    /// Renders with `data` as dot.
    ///
    /// Maps in `data` are shared with the template, which may change them with `set` and the like.
    ///
    /// # Errors
    ///
    /// [`RenderError`], whose kind says whether the template failed on its own, called `fail`, passed a limit, or
    /// would have written text that a strict rendering refuses.
    pub fn render(&self, data: &Value, context: &Context<'_>) -> Result<Rendered, RenderError> {
        let data = typeless(data);
        self.run(State::new(&self.definitions, context, &self.name, data), data).0
    }

    /// The same, with a trace of what was read and written until the end, be it good or bad.
    ///
    /// # Errors
    ///
    /// As [`render`](Self::render).
    pub fn render_traced(
        &self,
        data: &Value,
        context: &Context<'_>,
    ) -> (Result<Rendered, RenderError>, Trace) {
        let data = typeless(data);
        let mut state = State::new(&self.definitions, context, &self.name, data);
        state.tracer = Some(Tracer::new(&self.text, data));
        let (result, trace) = self.run(state, data);
        (result, trace.unwrap_or_default())
    }

    fn run<'a>(
        &'a self,
        mut state: State<'a>,
        data: &Value,
    ) -> (Result<Rendered, RenderError>, Option<Trace>) {
        let list = self.definitions.get(&self.name).map_or(&[][..], Vec::as_slice);
        let result = state.walk(data, list);
        let trace = state.tracer.take().map(|tracer| tracer.finish(&state.output, result.is_ok()));
        let result = match result {
            Ok(_) => Ok(Rendered { bytes: state.output }),
            Err(stop) => Err(RenderError::new(&state.current.to_str_lossy(), &self.text, *stop)),
        };
        (result, trace)
    }
}

/// Go forgets what type a nil had: its fields are missing ones.
fn typeless(data: &Value) -> &Value {
    if data.is_nil() { &Value::Missing } else { data }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::entropy::SystemEntropy;
    use crate::template::context::Limits;
    use crate::template::error::RenderErrorKind;
    use crate::template::object::Field;
    use crate::template::object::Object;

    fn data() -> Value {
        let claims =
            serde_json::json!({"s": "text", "n": 3, "nil": null, "list": ["a", "b"], "map": {"k": "v"}});
        Value::map([("Token", Value::from_json(&claims))])
    }

    fn render(text: &str, limits: Limits) -> Result<String, (RenderErrorKind, String)> {
        let (clock, entropy) = (SystemClock, SystemEntropy::new());
        let context = Context { limits, ..Context::new(&clock, &entropy) };
        let template = Template::parse("t", text, &FunctionTable::standard()).unwrap();
        let rendered = template.render(&data(), &context).map_err(|error| (error.kind, error.to_string()))?;
        Ok(String::from_utf8(rendered.bytes).unwrap())
    }

    fn check(text: &str, expected: Result<&str, (RenderErrorKind, &str)>) {
        let found = render(text, Limits::default());
        let found = found.as_deref().map_err(|(kind, message)| (*kind, message.as_str()));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn errors_name_the_place_and_the_expression() {
        use RenderErrorKind::*;
        check(
            "a\n {{ .Token.s.x }}",
            Err((Exec, "template: t:2:5: <.Token.s.x>: can't evaluate field x in type string")),
        );
        check(
            "{{ eq .Token.n 3 }}",
            Err((
                Exec,
                "template: t:1:4: <eq .Token.n 3>: error calling eq: incompatible types for comparison: float64 and int",
            )),
        );
        check(
            "{{ define \"u\" }}{{ index .list 9 }}{{ end }}{{ template \"u\" .Token }}",
            Err((Exec, "template: u:1:20: <index .list 9>: error calling index: index out of range: 9")),
        );
    }

    #[test]
    fn worthless_text_is_refused() {
        let check = |text: &str, expected: &str| {
            check(text, Err((RenderErrorKind::Strict, &format!("template: t:1:4: <{expected}"))));
        };
        check("{{ .Token.none }}", ".Token.none>: has no value to print");
        check("{{ .Token.nil }}", ".Token.nil>: has no value to print");
        check("{{ print .Token.nil }}", "print .Token.nil>: print: nil would print as <nil>");
        check(
            "{{ printf \"%d\" .Token.n }}",
            "printf \"%d\" .Token.n>: printf: %d does not fit a value of type float64",
        );
        check("{{ printf \"%s\" }}", "printf \"%s\">: printf: the format gives %!s(MISSING)");
        check(
            "{{ printf \"%s\" .Token.list }}",
            "printf \"%s\" .Token.list>: printf: %s of a value of type []interface {}",
        );
    }

    #[test]
    fn a_nil_that_went_through_a_pipeline_is_missing() {
        check("{{ $x := .Token.nil }}{{ if $x.y.z }}y{{ else }}n{{ end }}", Ok("n"));
        check("{{ if (.Token.nil).y }}y{{ else }}n{{ end }}", Ok("n"));
        let message = "template: t:1:7: <.Token.nil.y>: nil pointer evaluating interface {}.y";
        check("{{ if .Token.nil.y }}y{{ end }}", Err((RenderErrorKind::Exec, message)));
    }

    #[test]
    fn limits_end_a_rendering() {
        let check = |text: &str, limits: Limits, expected: &str| {
            let (kind, message) = render(text, limits).unwrap_err();
            assert_eq!(kind, RenderErrorKind::Limit, "{text}: {message}");
            assert!(message.ends_with(expected), "{text}: {message}");
        };
        check("{{ range 1000000000 }}{{ end }}", Limits::default(), "too many steps");
        check(
            "{{ range 100 }}0123456789{{ end }}",
            Limits { output: 500, ..Limits::default() },
            "too much output",
        );
        check(
            "{{ printf \"%1000000d\" 1 }}",
            Limits { allocation: 9999, ..Limits::default() },
            "too much memory",
        );
        check(
            "{{ $x := \"a\" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}",
            Limits::default(),
            "too much memory",
        );
        check(
            "{{ define \"u\" }}{{ template \"u\" . }}{{ end }}{{ template \"u\" . }}",
            Limits::default(),
            "too deeply",
        );
    }

    #[test]
    fn the_deepest_rendering_fits_a_small_stack() {
        let inner = "{{ if (((((((((((((((((((((((((((((1))))))))))))))))))))))))))))) }}".to_owned();
        let text = format!(
            "{{{{ define \"u\" }}}}{}{{{{ template \"u\" ((((((.)))))) }}}}{}{{{{ end }}}}{{{{ template \"u\" . }}}}",
            "{{ with true }}".repeat(20) + &inner,
            "{{ end }}".repeat(21),
        );
        let thread =
            std::thread::Builder::new().stack_size(1 << 20).spawn(move || render(&text, Limits::default()));
        let (kind, message) = thread.unwrap().join().unwrap().unwrap_err();
        assert_eq!(kind, RenderErrorKind::Limit, "{message}");
        assert!(message.ends_with("too deeply"), "{message}");
    }

    #[test]
    fn long_chains_of_maps_are_dropped_without_recursion() {
        let mut chain = Value::Nil;
        for _ in 0..200_000 {
            chain = Value::list(vec![Value::map([("next", chain)])]);
        }
        drop(chain);
    }

    #[test]
    fn templates_are_shared_between_threads() {
        fn shared<T: Send + Sync>(_: &T) {}
        let template = Template::parse("t", "{{ .Token.s }}", &FunctionTable::standard()).unwrap();
        shared(&template);
        shared(&data());
        let object = Object::structure("t").field(Field::new("A", "a", data())).into_value();
        shared(&object);
    }
}
