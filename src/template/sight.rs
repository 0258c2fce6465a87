//! What a template can see of its data, told from its text alone, so that nothing is made that it cannot.

use std::collections::BTreeSet;

use crate::template::node::Branch;
use crate::template::node::Name;
use crate::template::node::Node;
use crate::template::node::Operand;
use crate::template::node::OperandKind;
use crate::template::node::Pipe;
use crate::template::node::Variable;

/// The names in a template, of whatever value they are fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sight {
    /// Whether it takes the data, or something it does not name, as a whole.
    everything: bool,
    /// Names with another one behind them, or none.
    names: BTreeSet<Name>,
    /// Names with none behind them: what they hold may be taken as a whole.
    last: BTreeSet<Name>,
}

impl Sight {
    pub(super) fn of<'a>(lists: impl IntoIterator<Item = &'a Vec<Node>>) -> Self {
        let mut sight = Self::default();
        lists.into_iter().for_each(|list| sight.list(list));
        sight
    }

    /// Whether the field at the end of this way from the data may be read.
    pub(super) fn reaches(&self, way: &[&str]) -> bool {
        let Some((field, holders)) = way.split_last() else { return true };
        self.everything
            || self.names.contains(*field)
            || holders.iter().any(|holder| self.last.contains(*holder))
    }

    fn list(&mut self, list: &[Node]) {
        for node in list {
            match node {
                Node::Action(pipe) => self.pipe(pipe),
                Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                    let Branch { pipe, list, otherwise } = branch;
                    self.pipe(pipe);
                    self.list(list);
                    self.list(otherwise);
                }
                Node::Template { pipe, .. } => pipe.iter().for_each(|pipe| self.pipe(pipe)),
                Node::Text(..) | Node::Break | Node::Continue => {}
            }
        }
    }

    fn pipe(&mut self, pipe: &Pipe) {
        for command in &pipe.commands {
            self.operand(&command.head);
            command.arguments.iter().for_each(|argument| self.operand(argument));
        }
    }

    fn operand(&mut self, operand: &Operand) {
        match &operand.kind {
            OperandKind::Dot => self.everything = true,
            // Other variables hold what a pipe gave, which is looked at there.
            OperandKind::Variable(variable, names) if names.is_empty() => {
                self.everything |= *variable == Variable::DATA;
            }
            OperandKind::Field(names) | OperandKind::Variable(_, names) => self.chain(names),
            OperandKind::Chain(holder, names) => {
                self.operand(holder);
                self.chain(names);
            }
            OperandKind::Pipe(pipe) => self.pipe(pipe),
            OperandKind::Nil
            | OperandKind::Bool(_)
            | OperandKind::Number(_)
            | OperandKind::String(_)
            | OperandKind::Function(_) => {}
        }
    }

    fn chain(&mut self, names: &[Name]) {
        self.names.extend(names.iter().cloned());
        self.last.extend(names.last().cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::functions;
    use crate::template::parse;

    fn check(text: &str, expected: bool) {
        let definitions = parse::parse("t", text, &functions::table()).unwrap();
        assert_eq!(Sight::of(definitions.values()).reaches(&["a", "b", "c"]), expected, "{text}");
    }

    #[test]
    fn what_is_not_named_is_not_seen() {
        for text in [
            "",
            "{{ .x }}",
            "{{ .a.b.d }}",
            "{{ toJson .Subject }}",
            "{{ $y := .x }}{{ $y.z }}{{ print $y }}",
        ] {
            check(text, false);
        }
    }

    #[test]
    fn what_may_be_seen_is() {
        for text in [
            "{{ .a.b.c }}",
            "{{ $.a.b.c.d }}",
            "{{ if .x }}{{ else }}{{ .a.b.c }}{{ end }}",
            "{{ with .a }}{{ .b.c }}{{ end }}",
            "{{ range .x }}{{ .c }}{{ end }}",
            "{{ $y := .a.b }}{{ $y.d }}",
            "{{ (.a).b.d }}",
            "{{ (index .x 0).c }}",
            "{{ toJson .a }}",
            "{{ .a.b | toJson }}",
            "{{ get .a \"b\" }}",
            "{{ toJson . }}",
            "{{ toJson $ }}",
            "{{ print (list 1 $) }}",
            "{{ define \"x\" }}{{ .c }}{{ end }}",
            "{{ template \"x\" . }}{{ define \"x\" }}{{ end }}",
        ] {
            check(text, true);
        }
    }
}
