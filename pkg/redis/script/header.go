package script

import "strings"

// Header is what the first line of a source says, "#!lua name=lib" or "#!lua flags=no-writes,...".
type Header struct {
	Library string // the library's name; "" of a script
	Flags   Flags  // of a script
}

// Flags of scripts and functions (https://redis.io/docs/latest/develop/interact/programmability/lua-api/#script_flags).
type Flags struct {
	NoWrites        bool
	AllowKeyLocking bool // only declared keys are used
	names           []string
}

// Names are the flags as they were written.
func (f Flags) Names() []string { return f.names }

// add takes a flag by its name and reports whether it is known.
func (f *Flags) add(name string) bool {
	switch name {
	case "no-writes":
		f.NoWrites = true
	case "allow-key-locking":
		f.AllowKeyLocking = true
	case "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys":
		// There is nothing here that they could permit or forbid.
	default:
		return false
	}
	f.names = append(f.names, name)
	return true
}

// HeaderOf is the header of a script's source. If it is malformed, it says nothing.
func HeaderOf(source string) Header {
	h, _, err := parseHeader(source, false)
	if err != nil {
		return Header{}
	}
	return h
}

// parseHeader splits a source into its first line, if that is a header, and the rest,
// which keeps its line numbers. Only a library has a name, and must have one.
func parseHeader(source string, library bool) (h Header, body string, err error) {
	if !strings.HasPrefix(source, "#!") {
		if library {
			return h, "", Error("ERR Missing library metadata")
		}
		return h, source, nil
	}
	line, rest, found := strings.Cut(source, "\n")
	words := strings.Fields(line)
	switch {
	case !found && library:
		return h, "", Error("ERR Invalid library metadata")
	case !found:
		return h, "", Error("ERR Invalid script shebang")
	case !strings.EqualFold(words[0], "#!lua") && library:
		return h, "", Error("ERR Engine '" + words[0][2:] + "' not found")
	case !strings.EqualFold(words[0], "#!lua"):
		return h, "", Error("ERR Unexpected engine in script shebang: " + words[0])
	}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		if n := len(value); n > 1 && value[0] == value[n-1] && (value[0] == '"' || value[0] == '\'') {
			value = value[1 : n-1]
		}
		switch {
		case library && name == "name":
			if h.Library != "" {
				return h, "", Error("ERR Invalid metadata value, name argument was given multiple times")
			}
			if !ValidName(value) {
				return h, "", Error("ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long")
			}
			h.Library = value
		case library:
			return h, "", Error("ERR Invalid metadata value given: " + word)
		case name == "flags":
			for _, flag := range strings.Split(value, ",") {
				if flag != "" && !h.Flags.add(flag) {
					return h, "", Error("ERR Unexpected flag in script shebang: " + flag)
				}
			}
		default:
			return h, "", Error("ERR Unknown lua shebang option: " + word)
		}
	}
	if library && h.Library == "" {
		return h, "", Error("ERR Library name was not given")
	}
	return h, "\n" + rest, nil
}
