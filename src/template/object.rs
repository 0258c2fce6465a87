//! Values of named Go types: structures, pointers to them, and anything else that has methods.
//!
//! The builder methods describe a type as a template can observe it:
//!
//! ```
//! use stepless::template::Field;
//! use stepless::template::Object;
//! use stepless::template::Value;
//!
//! let name = Object::structure("x509util.SubjectAlternativeName")
//!     .field(Field::new("Type", "type", Value::from("dns")))
//!     .field(Field::new("Value", "value", Value::from("grant.example")))
//!     .into_value();
//! let address = Object::named("net.IP", "slice", Value::bytes(vec![192, 0, 2, 7]))
//!     .with_text("192.0.2.7")
//!     .with_json(Value::from("192.0.2.7"))
//!     .into_value();
//! assert_eq!(address.type_name(), "net.IP");
//! # let _ = name;
//! ```

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::template::function::Call;
use crate::template::function::Failure;
use crate::template::function::Kind;
use crate::template::function::Signature;
use crate::template::value::Text;
use crate::template::value::Value;

/// A value of a named Go type.
#[derive(Clone, Debug)]
pub struct Object {
    type_name: &'static str,
    pointer: bool,
    shape: Shape,
    text: Option<TextForm>,
    json: Option<Json>,
    methods: Vec<Method>,
}

#[derive(Clone, Debug)]
enum Shape {
    Structure(Vec<Field>),
    Other { kind: &'static str, value: Value },
}

/// What the Go method `String` gives, worked out at once or when it is asked for.
#[derive(Clone)]
enum TextForm {
    Ready(Text),
    Later(Arc<dyn Fn() -> Text + Send + Sync>),
}

/// What an object writes as JSON when its fields do not say it.
#[derive(Clone, Debug)]
pub enum Json {
    /// The JSON of another value.
    Value(Value),
    /// The text of the method `String` without quotes: a number too long for an integer.
    Text,
}

/// A field of a structure.
#[derive(Clone, Debug)]
pub struct Field {
    /// The Go name, as templates write it.
    pub name: &'static str,
    /// The JSON name; `None` when JSON leaves the field out.
    pub json: Option<Cow<'static, str>>,
    /// Whether JSON leaves out an empty value.
    pub omit_empty: bool,
    /// What the field holds.
    pub value: Value,
}

/// A method: a function that knows its receiver.
#[derive(Clone)]
pub struct Method {
    pub(super) signature: Signature,
    pub(super) body: MethodBody,
}

/// What a method does with its arguments, the receiver left out.
pub type MethodBody = Arc<dyn Fn(&mut Call<'_>, &[Value]) -> Result<Value, Failure> + Send + Sync>;

impl Object {
    /// A structure of the Go type `type_name`, such as `x509util.Subject`.
    #[must_use]
    pub fn structure(type_name: &'static str) -> Self {
        Self {
            type_name,
            pointer: false,
            shape: Shape::Structure(Vec::new()),
            text: None,
            json: None,
            methods: Vec::new(),
        }
    }

    /// A named type that is no structure: its Go `kind` (`slice`, `int`, `map`…) and what it holds.
    #[must_use]
    pub fn named(type_name: &'static str, kind: &'static str, value: Value) -> Self {
        Self { shape: Shape::Other { kind, value }, ..Self::structure(type_name) }
    }

    /// Makes this a pointer: `*x509util.CertificateRequest`.
    #[must_use]
    pub fn pointer(mut self) -> Self {
        self.pointer = true;
        self
    }

    /// Adds a field, in Go's order.
    #[must_use]
    pub fn field(mut self, field: Field) -> Self {
        if let Shape::Structure(fields) = &mut self.shape {
            fields.push(field);
        }
        self
    }

    /// Sets what the Go method `String` (or `Error`) gives, and adds the method `String`.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<Text>) -> Self {
        let text = text.into();
        self.text = Some(TextForm::Ready(text.clone()));
        self.with_constant("String", Value::String(text))
    }

    /// The same for a text that costs something: it is worked out each time it is asked for.
    #[must_use]
    pub fn with_text_later(mut self, text: impl Fn() -> Text + Send + Sync + 'static) -> Self {
        let text = Arc::new(text);
        let method = Arc::clone(&text);
        self.text = Some(TextForm::Later(text));
        self.with_method(Method::new("String", &[], move |_, _| Ok(Value::String(method()))))
    }

    /// Sets what Go's JSON encoder writes.
    #[must_use]
    pub fn with_json(mut self, json: Value) -> Self {
        self.json = Some(Json::Value(json));
        self
    }

    /// Makes the text the JSON form too, without quotes.
    #[must_use]
    pub fn with_text_as_json(mut self) -> Self {
        self.json = Some(Json::Text);
        self
    }

    /// Adds a method without arguments whose result is known.
    #[must_use]
    pub fn with_constant(self, name: &'static str, result: Value) -> Self {
        self.with_method(Method::new(name, &[], move |_, _| Ok(result.clone())))
    }

    /// Adds a method.
    #[must_use]
    pub fn with_method(mut self, method: Method) -> Self {
        self.methods.push(method);
        self
    }

    /// The finished value.
    #[must_use]
    pub fn into_value(self) -> Value {
        Value::Object(Arc::new(self))
    }

    /// The Go type with its star, such as `*rsa.PublicKey`.
    #[must_use]
    pub fn qualified_name(&self) -> String {
        if self.pointer { format!("*{}", self.type_name) } else { self.type_name.to_owned() }
    }

    /// The Go type without a star.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// Whether this is a pointer.
    #[must_use]
    pub fn is_pointer(&self) -> bool {
        self.pointer
    }

    /// The Go kind.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match &self.shape {
            _ if self.pointer => "ptr",
            Shape::Structure(_) => "struct",
            Shape::Other { kind, .. } => kind,
        }
    }

    /// The fields, if this is a structure or a pointer to one.
    #[must_use]
    pub fn fields(&self) -> Option<&[Field]> {
        match &self.shape {
            Shape::Structure(fields) => Some(fields),
            Shape::Other { .. } => None,
        }
    }

    /// What a named type that is no structure holds.
    #[must_use]
    pub fn underlying(&self) -> Option<&Value> {
        match &self.shape {
            Shape::Structure(_) => None,
            Shape::Other { value, .. } => Some(value),
        }
    }

    /// What the Go method `String` or `Error` gives.
    #[must_use]
    pub fn text(&self) -> Option<Text> {
        match self.text.as_ref()? {
            TextForm::Ready(text) => Some(text.clone()),
            TextForm::Later(text) => Some(text()),
        }
    }

    /// Whether the type has a method `String` or `Error`.
    #[must_use]
    pub fn has_text(&self) -> bool {
        self.text.is_some()
    }

    /// The JSON form, where it is not that of the fields.
    #[must_use]
    pub fn json(&self) -> Option<&Json> {
        self.json.as_ref()
    }

    /// The value of the field with the Go name `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields()?.iter().find(|field| field.name == name).map(|field| &field.value)
    }

    /// The method called `name`.
    #[must_use]
    pub fn method(&self, name: &str) -> Option<&Method> {
        self.methods.iter().find(|method| method.signature.name == name)
    }

    pub(super) fn is_true(&self) -> bool {
        match &self.shape {
            Shape::Structure(_) => true,
            Shape::Other { value, .. } => self.pointer || value.is_true(),
        }
    }
}

impl Field {
    /// A field that JSON always writes.
    #[must_use]
    pub fn new(name: &'static str, json: &'static str, value: Value) -> Self {
        Self { name, json: Some(Cow::Borrowed(json)), omit_empty: false, value }
    }

    /// A field that JSON writes only when it is not empty.
    #[must_use]
    pub fn optional(name: &'static str, json: &'static str, value: Value) -> Self {
        Self { omit_empty: true, ..Self::new(name, json, value) }
    }

    /// A field that JSON never writes.
    #[must_use]
    pub fn hidden(name: &'static str, value: Value) -> Self {
        Self { name, json: None, omit_empty: false, value }
    }
}

impl Method {
    /// A method with the given parameters.
    pub fn new(
        name: &'static str,
        parameters: &'static [Kind],
        body: impl Fn(&mut Call<'_>, &[Value]) -> Result<Value, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self { signature: Signature { name, parameters, variadic: None }, body: Arc::new(body) }
    }
}

impl fmt::Debug for TextForm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(text) => text.fmt(formatter),
            Self::Later(_) => formatter.write_str("later"),
        }
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Method").field(&self.signature.name).finish()
    }
}
