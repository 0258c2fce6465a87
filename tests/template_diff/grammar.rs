//! Random templates: the language around, the functions inside.
//!
//! Operands are made for the kind that is asked for, so that most templates render, and now and then for another.
//! Nothing may run away in the reference, which knows no limits: sizes are [`Kind::Small`], only [`Kind::Fresh`]
//! maps are changed, a loop writes something at each turn, and what is assigned in one does not double.

use crate::functions::Function;
use crate::functions::Kind;
use crate::functions::functions;
use crate::functions::methods;
use crate::random::Random;
use crate::samples;
use crate::tree::Tree;

pub(crate) struct Grammar {
    functions: Vec<Function>,
    methods: Vec<Function>,
}

impl Grammar {
    pub(crate) fn new() -> Self {
        Self { functions: functions(), methods: methods() }
    }

    pub(crate) fn template(&self, random: &mut Random) -> Tree {
        let mut writer = Writer {
            grammar: self,
            random,
            variables: Vec::new(),
            names: 0,
            loops: 0,
            dot: None,
            defined: Vec::new(),
        };
        let mut parts = Vec::new();
        if writer.random.one_in(6) {
            parts.push(writer.definition().optional());
        }
        if writer.random.one_in(40) {
            parts.push(Tree::text(COUNTDOWN).optional());
            writer.defined.push("countdown");
        }
        for _ in 0..=writer.random.below(3) {
            parts.push(writer.node(2).optional());
        }
        Tree::Joined(parts)
    }
}

/// A template that invokes itself.
const COUNTDOWN: &str = r#"{{ define "countdown" }}{{ with . }}[{{ first . }}{{ template "countdown" (rest .) }}]{{ end }}{{ end }}"#;

struct Writer<'a> {
    grammar: &'a Grammar,
    random: &'a mut Random,
    variables: Vec<(String, Kind)>,
    names: usize,
    loops: usize,
    /// What dot is, where it is not the data.
    dot: Option<Kind>,
    defined: Vec<&'static str>,
}

impl Writer<'_> {
    fn definition(&mut self) -> Tree {
        let dot = self.dot.replace(Kind::Any);
        let body = self.block(1);
        self.dot = dot;
        self.defined.push("other");
        let (start, end) = (self.open(), self.close());
        Tree::Joined(vec![Tree::Text(format!("{start}define \"other\"{end}")), body, Tree::text("{{end}}")])
    }

    /// A few nodes with a scope of their own.
    fn block(&mut self, depth: usize) -> Tree {
        let mark = self.variables.len();
        let parts = (0..=self.random.below(2)).map(|_| self.node(depth).optional()).collect();
        self.variables.truncate(mark);
        Tree::Joined(parts)
    }

    fn node(&mut self, depth: usize) -> Tree {
        match self.random.below(if depth == 0 { 12 } else { 20 }) {
            0 => Tree::text(self.random.pick(&["text", " ", "\n", " a\n\tb ", "}}", "ä", "\"{ }\""])),
            1 => self.comment(),
            2 | 3 => self.declaration(),
            4 => self.assignment(),
            5 if !self.defined.is_empty() => self.invocation(),
            12..=14 => self.condition("if", depth - 1),
            15 | 16 => self.condition("with", depth - 1),
            17..=19 => self.range(depth - 1),
            _ => self.action(),
        }
    }

    fn open(&mut self) -> &'static str {
        self.random.pick(&["{{", "{{", "{{ ", "{{- ", "{{-\n"])
    }

    fn close(&mut self) -> &'static str {
        self.random.pick(&["}}", "}}", " }}", " -}}", "\n-}}"])
    }

    fn comment(&mut self) -> Tree {
        // Space is allowed only where it belongs to a trim marker.
        let text = if self.random.one_in(20) { "{{ /* x */ }}" } else { "a {{- /* b\n}} */ -}} c" };
        Tree::text(if self.random.one_in(2) { "{{/**/}}" } else { text })
    }

    fn action(&mut self) -> Tree {
        let kind = self.kind();
        let (open, close) = (self.open(), self.close());
        Tree::Joined(vec![Tree::text(open), self.pipeline(kind, 3), Tree::text(close)])
    }

    fn declaration(&mut self) -> Tree {
        let kind = self.kind();
        let name = format!("$v{}", self.names);
        self.names += 1;
        let value = self.pipeline(kind, 2);
        let (open, close) = (self.open(), self.close());
        let all = Tree::Joined(vec![Tree::Text(format!("{open}{name} := ")), value, Tree::text(close)]);
        self.variables.push((name, kind));
        all
    }

    fn assignment(&mut self) -> Tree {
        let Some((name, kind)) = self.variable(None) else {
            return self.action();
        };
        let (open, close) = (self.open(), self.close());
        let value = if self.loops == 0 {
            self.pipeline(kind, 2)
        } else {
            match self.random.below(4) {
                0 => Tree::Text(format!("add1 {name}")),
                1 => Tree::Text(format!("print {name} \"+\"")),
                2 => Tree::Text(format!("len (toString {name})")),
                _ => self.constant(kind),
            }
        };
        Tree::Joined(vec![Tree::Text(format!("{open}{name} = ")), value, Tree::text(close)])
    }

    fn invocation(&mut self) -> Tree {
        let name = self.random.pick(&self.defined);
        let name = if self.random.one_in(30) { "absent" } else { name };
        let argument = match self.random.below(4) {
            0 => Tree::text(""),
            _ if name == "countdown" => self.operand(Kind::List, 1),
            1 => Tree::text("$").operand(),
            _ => self.operand(Kind::Map, 1),
        };
        let (open, close) = (self.open(), self.close());
        Tree::Joined(vec![Tree::Text(format!("{open}template \"{name}\" ")), argument, Tree::text(close)])
    }

    fn condition(&mut self, keyword: &str, depth: usize) -> Tree {
        let with = keyword == "with";
        let kind = self.kind();
        let mark = self.variables.len();
        let mut parts = vec![Tree::Text(format!("{}{keyword} ", self.open()))];
        let value = self.pipeline(kind, 2);
        if self.random.one_in(5) {
            let name = format!("$v{}", self.names);
            self.names += 1;
            parts.push(Tree::Text(format!("{name} := ")));
            self.variables.push((name, kind));
        }
        parts.push(value);
        parts.push(Tree::text(self.close()));
        parts.push(self.block_with(with.then_some(kind), depth));
        for _ in 0..self.random.below(3).saturating_sub(1) {
            let kind = self.kind();
            parts.push(Tree::Text(format!("{}else {keyword} ", self.open())));
            parts.push(self.pipeline(kind, 1));
            parts.push(Tree::text(self.close()));
            parts.push(self.block_with(with.then_some(kind), depth));
        }
        if self.random.one_in(2) {
            parts.push(Tree::Text(format!("{}else{}", self.open(), self.close())));
            parts.push(self.block_with(None, depth));
        }
        self.variables.truncate(mark);
        parts.push(Tree::Text(format!("{}end{}", self.open(), self.close())));
        Tree::Joined(parts)
    }

    /// A block in which dot is of `kind`, or stays what it is.
    fn block_with(&mut self, kind: Option<Kind>, depth: usize) -> Tree {
        let dot = self.dot;
        self.dot = kind.or(dot);
        let block = self.block(depth);
        self.dot = dot;
        block
    }

    fn range(&mut self, depth: usize) -> Tree {
        let odd = self.random.one_in(8);
        let kind = self.random.pick(if odd {
            &[Kind::Any, Kind::String, Kind::Bool]
        } else {
            &[Kind::List, Kind::List, Kind::Map, Kind::Small]
        });
        let mark = self.variables.len();
        let value = self.pipeline(kind, 2);
        let mut parts = vec![Tree::Text(format!("{}range ", self.open()))];
        let declared = self.random.below(if kind == Kind::Small { 2 } else { 3 });
        if declared > 0 {
            let names: Vec<String> =
                (self.names..self.names + declared).map(|number| format!("$v{number}")).collect();
            self.names += declared;
            parts.push(Tree::Text(format!("{} := ", names.join(", "))));
            self.variables.extend(names.into_iter().map(|name| (name, Kind::Any)));
        } else if self.random.one_in(15)
            && let Some((name, _)) = self.variable(None)
        {
            parts.push(Tree::Text(format!("{name} = ")));
        }
        parts.push(value);
        // What a loop writes at each turn ends it in the reference.
        parts.push(Tree::Text(format!("{}.", self.close())));
        self.loops += 1;
        parts.push(self.block_with(Some(Kind::Any), depth));
        if self.random.one_in(4) {
            let leave = self.random.pick(&["break", "continue"]);
            let condition = self.operand(Kind::Bool, 1);
            parts.push(
                Tree::Joined(vec![
                    Tree::text("{{if "),
                    condition,
                    Tree::Text(format!("}}}}{{{{{leave}}}}}{{{{end}}}}")),
                ])
                .optional(),
            );
            parts.push(self.block_with(Some(Kind::Any), 0));
        }
        self.loops -= 1;
        self.variables.truncate(mark);
        if self.random.one_in(3) {
            parts.push(Tree::Text(format!("{}else{}", self.open(), self.close())));
            parts.push(self.block(0));
        }
        parts.push(Tree::Text(format!("{}end{}", self.open(), self.close())));
        Tree::Joined(parts)
    }

    /// A kind to be printed.
    fn kind(&mut self) -> Kind {
        const KINDS: &[Kind] = &[
            Kind::Any,
            Kind::String,
            Kind::String,
            Kind::String,
            Kind::Int,
            Kind::Int64,
            Kind::Float,
            Kind::Bool,
            Kind::List,
            Kind::List,
            Kind::Map,
            Kind::Fresh,
            Kind::Time,
        ];
        self.random.pick(KINDS)
    }

    fn variable(&mut self, kind: Option<Kind>) -> Option<(String, Kind)> {
        let fitting: Vec<_> = self
            .variables
            .iter()
            .filter(|(_, known)| kind.is_none_or(|kind| kind == *known || kind == Kind::Any))
            .cloned()
            .collect();
        (!fitting.is_empty()).then(|| fitting[self.random.below(fitting.len())].clone())
    }

    /// A pipeline without parentheses.
    fn pipeline(&mut self, kind: Kind, depth: usize) -> Tree {
        let kind = self.vary(kind);
        if depth == 0 || self.random.one_in(4) {
            return self.leaf(kind).operand();
        }
        self.call(kind, depth).operand()
    }

    /// What can be an argument.
    fn operand(&mut self, kind: Kind, depth: usize) -> Tree {
        let kind = self.vary(kind);
        if depth == 0 || self.random.one_in(2) || matches!(kind, Kind::Small | Kind::Literal) {
            return self.leaf(kind).operand();
        }
        let mut parts = vec![Tree::text("("), self.call(kind, depth), Tree::text(")")];
        if self.random.one_in(60) {
            parts.push(Tree::text(self.random.pick(&[".a", ".k.x", ".Unix"])));
        }
        Tree::Joined(parts).operand()
    }

    /// Now and then another kind than asked for.
    fn vary(&mut self, kind: Kind) -> Kind {
        match kind {
            Kind::Small | Kind::Literal | Kind::Fresh | Kind::Time => kind,
            _ if self.random.one_in(80) => self.kind(),
            _ => kind,
        }
    }

    /// A call that gives `kind`.
    fn call(&mut self, kind: Kind, depth: usize) -> Tree {
        if kind == Kind::String && self.random.one_in(8) {
            return self.printf(depth);
        }
        if kind == Kind::List && self.random.one_in(12) {
            let (name, argument) = if self.random.one_in(2) {
                ("keys", self.operand(Kind::Map, depth - 1))
            } else {
                (
                    "values",
                    Tree::Joined(vec![
                        Tree::text("(dict \"k\" "),
                        self.operand(Kind::Any, depth - 1),
                        Tree::text(")"),
                    ]),
                )
            };
            return Tree::Joined(vec![Tree::Text(format!("{name} ")), argument, Tree::text(" | sortAlpha")]);
        }
        let fits = |function: &&Function| match kind {
            Kind::Any => true,
            Kind::Number => matches!(function.result, Kind::Int | Kind::Int64 | Kind::Float),
            Kind::Map => matches!(function.result, Kind::Map | Kind::Fresh),
            _ => function.result == kind,
        };
        let methods: Vec<_> = self.grammar.methods.iter().filter(fits).collect();
        if !methods.is_empty() && self.random.one_in(8) {
            let method = self.random.pick(&methods).clone();
            return self.method(&method, depth);
        }
        let functions: Vec<_> = self.grammar.functions.iter().filter(fits).collect();
        if functions.is_empty() {
            return self.leaf(kind);
        }
        let mut function = self.random.pick(&functions).clone();
        if function.name == "fail" && !self.random.one_in(8) {
            function = self.grammar.functions[0].clone();
        }
        let mut arguments = self.arguments(&function.parameters, function.rest, depth);
        let mut parts = Vec::new();
        let piped = !arguments.is_empty() && self.random.one_in(3);
        if piped && let Some(last) = arguments.pop() {
            parts.push(last);
            parts.push(Tree::text(" | "));
        }
        parts.push(Tree::text(function.name));
        for argument in arguments {
            parts.push(Tree::text(" "));
            parts.push(argument);
        }
        Tree::Joined(parts)
    }

    fn arguments(&mut self, parameters: &[Kind], rest: Option<Kind>, depth: usize) -> Vec<Tree> {
        let mut arguments: Vec<Tree> = parameters.iter().map(|kind| self.operand(*kind, depth - 1)).collect();
        if let Some(rest) = rest {
            for _ in 0..self.random.below(4) {
                arguments.push(self.operand(rest, depth - 1));
            }
        }
        if self.random.one_in(150) && parameters.len() > 1 {
            arguments.pop();
        }
        if self.random.one_in(150) {
            arguments.push(self.operand(Kind::Any, 0));
        }
        arguments
    }

    fn method(&mut self, method: &Function, depth: usize) -> Tree {
        let Some((receiver, parameters)) = method.parameters.split_first() else {
            return self.leaf(Kind::Any);
        };
        let mut parts = vec![self.receiver(*receiver, depth), Tree::Text(format!(".{}", method.name))];
        for argument in self.arguments(parameters, method.rest, depth) {
            parts.push(Tree::text(" "));
            parts.push(argument);
        }
        Tree::Joined(parts)
    }

    fn receiver(&mut self, kind: Kind, depth: usize) -> Tree {
        match kind {
            Kind::Duration => Tree::Joined(vec![
                Tree::text("("),
                self.operand(Kind::Time, depth - 1),
                Tree::text(".Sub "),
                self.operand(Kind::Time, depth - 1),
                Tree::text(")"),
            ]),
            Kind::Version => {
                let text = self.quoted(Kind::VersionText);
                Tree::Text(format!("(semver {text})"))
            }
            _ => self.operand(kind, depth - 1),
        }
    }

    fn printf(&mut self, depth: usize) -> Tree {
        let (format, kinds) = samples::format(self.random);
        let mut parts = vec![Tree::Text(format!("printf {}", samples::quoted(self.random, &format)))];
        for kind in kinds {
            parts.push(Tree::text(" "));
            parts.push(self.operand(kind, depth - 1));
        }
        Tree::Joined(parts)
    }

    fn quoted(&mut self, kind: Kind) -> String {
        let text = samples::string(self.random, kind);
        samples::quoted(self.random, text)
    }

    /// An operand without calls, save those that make constants.
    fn leaf(&mut self, kind: Kind) -> Tree {
        if matches!(kind, Kind::Small | Kind::Literal | Kind::Fresh | Kind::Time | Kind::Zone) {
            return self.constant(kind);
        }
        match self.random.below(4) {
            0 => {
                if let Some((name, _)) = self.variable(Some(kind)) {
                    let field = self.random.one_in(20);
                    return Tree::Text(if field { format!("{name}.a") } else { name });
                }
                self.constant(kind)
            }
            1 | 2 => self.member(kind).unwrap_or_else(|| self.constant(kind)),
            _ => self.constant(kind),
        }
    }

    /// Something of the data that mostly is of `kind`.
    fn member(&mut self, kind: Kind) -> Option<Tree> {
        if self.random.one_in(80) {
            return Some(Tree::text(
                self.random.pick(&[".", "$", ".x", "$.x.y.z", "$.z.a", "$.s.a", "$.l.a", "nil"]),
            ));
        }
        if self.dot == Some(kind) && self.random.one_in(2) || self.dot.is_some() && self.random.one_in(10) {
            return Some(Tree::text("."));
        }
        let kind = if kind == Kind::Number { Kind::Float } else { kind };
        let fitting: Vec<_> =
            samples::MEMBERS.iter().filter(|(_, known)| kind == Kind::Any || *known == kind).collect();
        if fitting.is_empty() {
            return None;
        }
        let (name, known) = self.random.pick(&fitting);
        let start = if self.dot.is_some() || self.random.one_in(4) { "$." } else { "." };
        let mut path = format!("{start}{name}");
        if kind == Kind::Any && *known == Kind::Map && self.random.one_in(2) {
            path.push_str(self.random.pick(&[".a", ".k", ".key", ".a.b", ".x.y.z"]));
        }
        Some(Tree::Text(path))
    }

    fn constant(&mut self, kind: Kind) -> Tree {
        let text = match kind {
            Kind::Small => match self.random.below(8) {
                0 => "-1".to_owned(),
                1 => format!("(len {})", self.quoted(Kind::String)),
                _ => self.random.below(8).to_string(),
            },
            Kind::Int => samples::integer(self.random).to_owned(),
            Kind::Int64 => format!("(int64 {})", samples::integer(self.random)),
            Kind::Float => samples::float(self.random).to_owned(),
            Kind::Number => {
                let kind = self.random.pick(&[
                    Kind::Int,
                    Kind::Int,
                    Kind::Int64,
                    Kind::Float,
                    Kind::String,
                    Kind::Bool,
                ]);
                return self.constant(kind);
            }
            Kind::Bool => (self.random.pick(&["true", "false"])).to_owned(),
            Kind::List => match self.random.below(4) {
                0 => format!("(list 1 {} {})", self.quoted(Kind::String), samples::float(self.random)),
                1 => format!("(splitList \",\" {})", self.quoted(Kind::String)),
                2 => "(until 4)".to_owned(),
                _ => format!("(list {} {} nil)", self.quoted(Kind::String), self.quoted(Kind::String)),
            },
            Kind::Map | Kind::Fresh => match self.random.below(6) {
                0 => "(fromJson `{\"a\":{\"b\":[1,2],\"c\":null},\"k\":\"v\"}`)".to_owned(),
                1 => "(dict)".to_owned(),
                2 => "(deepCopy $.m)".to_owned(),
                3 => format!("(dict \"a\" (dict \"b\" 1 \"d\" {}))", self.quoted(Kind::String)),
                4 => format!("(dict \"k\" {} \"a\" true)", samples::integer(self.random)),
                _ => format!("(dict {} {} 1 2)", self.quoted(Kind::String), samples::float(self.random)),
            },
            Kind::Time => match self.random.below(6) {
                0 => format!("(toTime {})", samples::float(self.random)),
                1 => format!("(toTime {})", samples::integer(self.random)),
                2 => format!("(toDate \"2006-01-02\" {})", self.quoted(Kind::Time)),
                3 => "(mustParseTime \"2024-02-29T12:00:00.25+02:00\")".to_owned(),
                4 => format!("(parseTime {} {})", self.quoted(Kind::Layout), self.quoted(Kind::Time)),
                _ => format!("(parseTime {})", self.quoted(Kind::Time)),
            },
            Kind::Duration => "((toTime 5).Sub (toTime 1))".to_owned(),
            Kind::Version => format!("(semver {})", self.quoted(Kind::VersionText)),
            Kind::Any | Kind::Literal => {
                let kind = self.random.pick(&[Kind::String, Kind::Int, Kind::Float, Kind::Bool]);
                if kind == Kind::Bool && self.random.one_in(4) {
                    "nil".to_owned()
                } else {
                    return self.constant(kind);
                }
            }
            _ => self.quoted(kind),
        };
        Tree::Text(text)
    }
}
