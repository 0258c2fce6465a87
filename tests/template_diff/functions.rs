//! The functions that the grammar calls, with kinds rather than types: what an argument ought to look like.
//!
//! Left out is what has no one result: random bytes, the present time, maps in no order (`keys` and `values` are
//! written by the grammar, sorted), and the machine's time zones.

/// What an operand is made to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Any,
    String,
    /// An `int` that is small, and never anything else: sizes are made of it.
    Small,
    Int,
    Int64,
    Float,
    /// Whatever sprig takes for a number.
    Number,
    Bool,
    List,
    Map,
    /// A map that nothing else holds, and no value inside it can hold it: what may be changed.
    Fresh,
    /// A constant, and never anything else.
    Literal,
    Time,
    Duration,
    Version,
    // Strings of a form.
    Base64,
    Json,
    Url,
    Path,
    Pattern,
    VersionText,
    Constraint,
    DurationText,
    Layout,
    TimeText,
    Asn1,
    Asn1Parameters,
    Zone,
    TypeName,
}

#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) parameters: Vec<Kind>,
    pub(crate) rest: Option<Kind>,
    pub(crate) result: Kind,
}

/// Names, parameters, result.
const TABLE: &str = "
and or | any any* | any
not empty | any | bool
eq | any any any* | bool
eq | string string string* | bool
eq | int int* | bool
ne lt le gt ge | any any | bool
ne lt le gt ge | string string | bool
ne lt le gt ge | int int | bool
ne lt le gt ge | float float | bool
len | list | int
len | map | int
len | string | int
index | list small | any
index | map string | any
index | string small | int
index | any any* | any
print println | any* | string
html js urlquery | any* | string
html js urlquery | string | string
abbrev | small string | string
abbrevboth | small small string | string
trunc | int string | string
substr | small small string | string
upper lower title untitle trim nospace swapcase initials snakecase camelcase kebabcase | string | string
b64enc b32enc sha1sum sha256sum sha512sum adler32sum regexQuoteMeta | string | string
b64dec b32dec | base64 | string
trimAll trimall trimPrefix trimSuffix | string string | string
replace | string string string | string
repeat | small string | string
indent nindent | small string | string
wrap | small string | string
wrapWith | small string string | string
plural | string string int | string
contains hasPrefix hasSuffix | string string | bool
cat quote squote | any* | string
toString | any | string
toStrings | list | list
join | string list | string
splitList | string string | list
split | string string | map
splitn | string small string | map
sortAlpha | list | list
atoi | string | int
int | number | int
int64 toDecimal | number | int64
float64 | number | float
add | number* | int64
mul | number number* | int64
add1 | number | int64
add1f | number | float
addf | number* | float
sub div mod | number number | int64
subf divf mulf | number number* | float
max min biggest | number number* | int64
maxf minf | number number* | float
ceil floor | number | float
round | number small | float
round | number small float | float
seq | small* | string
until | small | list
untilStep | small small small | list
list tuple | any* | list
first last mustFirst mustLast | list | any
rest initial reverse uniq compact mustRest mustInitial mustReverse mustUniq mustCompact | list | list
append prepend push mustAppend mustPrepend mustPush | list any | list
concat | list list* | list
without mustWithout | list any* | list
has mustHas | any list | bool
slice mustSlice | list small* | list
chunk mustChunk | small list | list
dict | string any string any | map
dict | string any | map
get | map string | any
hasKey | map string | bool
pluck | string map* | list
pick omit | map string* | map
dig | string any map | any
dig | string string any map | any
set | fresh string literal | fresh
unset | fresh string | fresh
merge mergeOverwrite mustMerge mustMergeOverwrite | fresh fresh* | fresh
deepCopy mustDeepCopy | any | any
deepEqual | any any | bool
deepEqual | list list | bool
default | any any | any
default | string string | string
coalesce | any* | any
all any | any* | bool
ternary | any any bool | any
kindOf typeOf | any | string
kindIs typeIs typeIsLike | typename any | bool
toJson toRawJson mustToJson mustToRawJson | any | string
toJson toPrettyJson mustToPrettyJson | any | string
toJson | map | string
fromJson mustFromJson | json | any
regexMatch mustRegexMatch | pattern string | bool
regexFind mustRegexFind | pattern string | string
regexFindAll mustRegexFindAll | pattern string small | list
regexSplit mustRegexSplit | pattern string small | list
regexReplaceAll regexReplaceAllLiteral mustRegexReplaceAll mustRegexReplaceAllLiteral | pattern string string | string
base dir clean ext osBase osDir osClean osExt | path | string
isAbs osIsAbs | path | bool
urlParse | url | map
urlJoin | map | string
semver | version | version
semverCompare | constraint versiontext | bool
date | layout time | string
dateInZone date_in_zone | layout time zone | string
htmlDate formatTime | time | string
htmlDateInZone | time zone | string
dateModify date_modify mustDateModify must_date_modify | durationtext time | time
toDate mustToDate | layout timetext | time
parseTime mustParseTime | layout timetext | time
parseTime mustParseTime | timetext | time
toTimeLayout | layout | string
unixEpoch | time | string
duration | number | string
duration durationRound | durationtext | string
durationRound | int64 | string
hello | | string
fail | string | string
asn1Enc | asn1 | string
asn1Marshal | any asn1parameters* | string
asn1Marshal | string asn1parameters* | string
asn1Marshal | int asn1parameters* | string
asn1Seq asn1Set | base64* | string
";

/// The methods of times, durations and versions.
const METHODS: &str = "
Unix UnixMilli UnixNano | time | int64
Year Day Hour Minute Second Nanosecond YearDay | time | int
Month Weekday | time | any
UTC Local | time | time
IsZero | time | bool
Format | time layout | string
String | time | string
After Before Equal | time time | bool
Sub | time time | duration
AddDate | time small small small | time
String | duration | string
Hours Minutes Seconds | duration | float
Milliseconds Nanoseconds | duration | int64
Major Minor Patch | version | any
Prerelease Metadata Original String | version | string
";

pub(crate) fn functions() -> Vec<Function> {
    read(TABLE)
}

pub(crate) fn methods() -> Vec<Function> {
    read(METHODS)
}

fn read(table: &'static str) -> Vec<Function> {
    let mut functions = Vec::new();
    for line in table.lines().filter(|line| !line.is_empty()) {
        let [names, parameters, result] = line.split('|').collect::<Vec<_>>().try_into().unwrap();
        let mut rest = None;
        let mut fixed = Vec::new();
        for parameter in parameters.split_whitespace() {
            match parameter.strip_suffix('*') {
                Some(name) => rest = Some(kind(name)),
                None => fixed.push(kind(parameter)),
            }
        }
        for name in names.split_whitespace() {
            functions.push(Function { name, parameters: fixed.clone(), rest, result: kind(result.trim()) });
        }
    }
    functions
}

fn kind(name: &str) -> Kind {
    match name {
        "any" => Kind::Any,
        "string" => Kind::String,
        "small" => Kind::Small,
        "int" => Kind::Int,
        "int64" => Kind::Int64,
        "float" => Kind::Float,
        "number" => Kind::Number,
        "bool" => Kind::Bool,
        "list" => Kind::List,
        "map" => Kind::Map,
        "fresh" => Kind::Fresh,
        "literal" => Kind::Literal,
        "time" => Kind::Time,
        "duration" => Kind::Duration,
        "version" => Kind::Version,
        "versiontext" => Kind::VersionText,
        "base64" => Kind::Base64,
        "json" => Kind::Json,
        "url" => Kind::Url,
        "path" => Kind::Path,
        "pattern" => Kind::Pattern,
        "constraint" => Kind::Constraint,
        "timetext" => Kind::TimeText,
        "durationtext" => Kind::DurationText,
        "layout" => Kind::Layout,
        "asn1" => Kind::Asn1,
        "asn1parameters" => Kind::Asn1Parameters,
        "zone" => Kind::Zone,
        "typename" => Kind::TypeName,
        other => panic!("{other} is no kind"),
    }
}
