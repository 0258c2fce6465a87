//! A template as it was made, so that a failing one can be made smaller without breaking its syntax.

#[derive(Clone, Debug)]
pub(crate) enum Tree {
    Text(String),
    Joined(Vec<Tree>),
    /// Can be left out.
    Optional(Box<Tree>),
    /// Stands where any operand may stand.
    Operand(Box<Tree>),
}

impl Tree {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn operand(self) -> Self {
        match self {
            Self::Operand(_) => self,
            other => Self::Operand(Box::new(other)),
        }
    }

    pub(crate) fn optional(self) -> Self {
        Self::Optional(Box::new(self))
    }

    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Joined(parts) => parts.iter().for_each(|part| part.write(out)),
            Self::Optional(inner) | Self::Operand(inner) => inner.write(out),
        }
    }

    /// Every tree that is smaller by one step.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        match self {
            Self::Text(_) => Vec::new(),
            Self::Joined(parts) => {
                let mut all = Vec::new();
                for (index, part) in parts.iter().enumerate() {
                    for part in part.smaller() {
                        let mut parts = parts.clone();
                        parts[index] = part;
                        all.push(Self::Joined(parts));
                    }
                }
                all
            }
            Self::Optional(inner) => {
                let mut all = vec![Self::text("")];
                inner.nearest(false, &mut all);
                all.extend(inner.smaller().into_iter().map(Self::optional));
                all
            }
            Self::Operand(inner) => {
                let mut all = Vec::new();
                inner.nearest(true, &mut all);
                all.extend(inner.smaller().into_iter().map(Self::operand));
                all
            }
        }
    }

    /// The topmost operands below, or the topmost optional parts.
    fn nearest(&self, operands: bool, found: &mut Vec<Self>) {
        match self {
            Self::Operand(_) if operands => found.push(self.clone()),
            Self::Optional(_) if !operands => found.push(self.clone()),
            Self::Text(_) => {}
            Self::Joined(parts) => parts.iter().for_each(|part| part.nearest(operands, found)),
            Self::Optional(inner) | Self::Operand(inner) => inner.nearest(operands, found),
        }
    }
}
