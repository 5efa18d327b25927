package console

import (
	"errors"
	"fmt"
)

// field is what the templates "field" and "check" show: see templates/components/form.html.
type field struct {
	ID, Name, Label, Type, Value, Help, Error         string
	Placeholder, Autocomplete, Prefix, Suffix         string
	Pattern, Min, Max, Step, List, Confirm            string
	Options                                           []option
	Rows, MaxLength                                   int
	Required, Optional, Mono, Autofocus, ReadOnly, On bool
}

// option is one of a select's.
type option struct{ Value, Label string }

// newField makes a field of a name, a label and pairs of an option's name and its value.
func newField(name, label string, pairs ...any) (field, error) {
	f := field{ID: "f-" + name, Name: name, Label: label, Type: "text", Rows: 4}
	if len(pairs)%2 != 0 {
		return f, errors.New("field: an option without a value")
	}
	texts := map[string]*string{
		"id": &f.ID, "type": &f.Type, "value": &f.Value, "help": &f.Help, "error": &f.Error, "placeholder": &f.Placeholder,
		"autocomplete": &f.Autocomplete, "prefix": &f.Prefix, "suffix": &f.Suffix, "pattern": &f.Pattern, "min": &f.Min,
		"max": &f.Max, "step": &f.Step, "list": &f.List, "confirm": &f.Confirm,
	}
	numbers := map[string]*int{"rows": &f.Rows, "maxlength": &f.MaxLength}
	flags := map[string]*bool{
		"required": &f.Required, "optional": &f.Optional, "mono": &f.Mono, "autofocus": &f.Autofocus, "readonly": &f.ReadOnly, "on": &f.On,
	}
	for i := 0; i < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		switch value := pairs[i+1].(type) {
		case bool:
			if to := flags[name]; to != nil {
				*to = value
				continue
			}
		case int:
			if to := numbers[name]; to != nil {
				*to = value
				continue
			}
			if to := texts[name]; to != nil {
				*to = fmt.Sprint(value)
				continue
			}
		case []option:
			if name == "options" {
				f.Options = value
				continue
			}
		default:
			if to := texts[name]; to != nil {
				*to = fmt.Sprint(value)
				continue
			}
		}
		return f, fmt.Errorf("field: no option %q of that type", pairs[i])
	}
	return f, nil
}

// newOptions makes a select's options of pairs of a value and a label.
func newOptions(pairs ...string) ([]option, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("options: a value without a label")
	}
	var list []option
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, option{pairs[i], pairs[i+1]})
	}
	return list, nil
}

// formErrors are what is wrong with a form, by field; "" is the form as a whole.
type formErrors map[string]string
