/* A program as text, for people. */
#include "script/vm/vm.h"

#define X(name, word, operand, pops, pushes, what)                                                 \
	[OP_##name] = { word, OPERAND_##operand, pops, pushes, what },
const struct op_info op_infos[OP_COUNT] = { OPS(X) };
#undef X

static void dump_value(const struct value *v, struct buf *out)
{
	char place[64];

	switch (v->kind) {
	case VALUE_UNKNOWN:
		buf_adds(out, "unknown");
		break;
	case VALUE_TEXT:
		buf_addf(out, "\"%.*s\"", SLICE_ARG(slice_head(v->text, 60)));
		break;
	case VALUE_NUMBER:
		buf_addf(out, "%lld", (long long)v->number);
		break;
	case VALUE_YESNO:
		buf_adds(out, v->yes ? "yes" : "no");
		break;
	case VALUE_IP:
		ip_write(&v->ip, place);
		buf_adds(out, place);
		break;
	case VALUE_LIST:
		buf_addf(out, "list of %zu", v->list.count);
		break;
	}
}

static void dump_operand(const struct program *p, const struct instruction *in, struct buf *out)
{
	switch (op_infos[in->op].operand) {
	case OPERAND_CONST:
		dump_value(&p->consts[in->a], out);
		break;
	case OPERAND_VAR:
		buf_adds(out, p->vars[in->a].name);
		break;
	case OPERAND_SET:
		buf_addf(out, "#%u (%zu items)", in->a, set_count(p->sets[in->a]));
		break;
	case OPERAND_NEXT:
		buf_addf(out, "%s, else %u", p->vars[in->b].name, in->a);
		break;
	case OPERAND_FUNC:
		buf_adds(out, p->funcs[in->a].name);
		break;
	case OPERAND_BUILTIN:
		buf_addf(out, "%s/%u", p->builtins[in->a].name, in->b);
		break;
	case OPERAND_RULE:
		buf_addf(out, "\"%s\"", p->rules[in->a].name);
		break;
	case OPERAND_JUMP:
	case OPERAND_BACK:
	case OPERAND_COUNT:
	case OPERAND_FORM:
	case OPERAND_SCALE:
		buf_addf(out, "%u", in->a);
		break;
	case OPERAND_NONE:
		break;
	}
}

void program_dump(const struct program *p, struct buf *out)
{
	for (uint32_t f = 0; f < p->func_count; f++) {
		buf_addf(out, "%s: at most %llu steps, %u checks\n", p->funcs[f].name,
		    (unsigned long long)p->funcs[f].steps, p->funcs[f].checks);
		for (uint32_t pc = p->funcs[f].start; pc < p->funcs[f].end; pc++) {
			buf_addf(out, "%5u  %-8s ", pc, op_infos[p->code[pc].op].word);
			dump_operand(p, &p->code[pc], out);
			buf_addc(out, '\n');
		}
	}
}
