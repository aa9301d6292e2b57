/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `stanch doctor`: is this host one that stanch can work on? Looks only, and names the remedy. */
#include "doctor.h"

#include <stdarg.h>

#include "args.h"

static const char *const grade_names[] = {
	[GRADE_GOOD] = "good",
	[GRADE_NOTE] = "note",
	[GRADE_FINDING] = "FINDING",
};

void doctor_say(struct doctor *doctor, enum grade grade, const char *subject, const char *remedy,
		const char *fmt, ...)
{
	struct finding *finding = &doctor->findings[doctor->count];
	va_list args;

	if (doctor->count == FINDINGS)
		return;
	doctor->count++;
	finding->grade = grade;
	snprintf(finding->subject, sizeof(finding->subject), "%s", subject);
	snprintf(finding->remedy, sizeof(finding->remedy), "%s", remedy ? remedy : "");
	va_start(args, fmt);
	vsnprintf(finding->text, sizeof(finding->text), fmt, args);
	va_end(args);
}

static unsigned int count_findings(const struct doctor *doctor)
{
	unsigned int i, count = 0;

	for (i = 0; i < doctor->count; i++)
		count += doctor->findings[i].grade == GRADE_FINDING;
	return count;
}

static void print_findings(const struct doctor *doctor)
{
	unsigned int i, found = count_findings(doctor);

	for (i = 0; i < doctor->count; i++) {
		const struct finding *finding = &doctor->findings[i];

		say_text("%-7s  %-12s  %s\n", grade_names[finding->grade], finding->subject,
			 finding->text);
		if (*finding->remedy)
			say_text("%-7s  %-12s  -> %s\n", "", "", finding->remedy);
	}
	say_text("%u finding%s\n", found, found == 1 ? "" : "s");
}

static json_t *doctor_json(const struct doctor *doctor)
{
	static const char *const grades[] = { "good", "note", "finding" };
	json_t *checks = json_array();
	unsigned int i;

	for (i = 0; i < doctor->count; i++) {
		const struct finding *finding = &doctor->findings[i];

		json_array_append_new(
			checks,
			json_pack("{ss, ss, ss, so}", "grade", grades[finding->grade], "subject",
				  finding->subject, "text", finding->text, "remedy",
				  *finding->remedy ? json_string(finding->remedy) : json_null()));
	}
	return json_pack("{si, so}", "findings", (int)count_findings(doctor), "checks", checks);
}

int cmd_doctor(const struct options *options, int argc, char **argv)
{
	static const struct args args = { .max = -1 };
	autofree struct doctor *doctor = calloc(1, sizeof(*doctor));
	int first = args_parse(options, argc, argv, &args), code;

	if (first < 0)
		return EXIT_USAGE;
	if (!doctor)
		return EXIT_FAILED;
	doctor->options = options;
	doctor_host(doctor);
	code = doctor_interfaces(doctor, argc - first, argv + first);
	if (code != EXIT_DONE)
		return code;
	if (options->json)
		say_result(options, "doctor", doctor_json(doctor));
	else
		print_findings(doctor);
	return count_findings(doctor) ? EXIT_FAILED : EXIT_DONE;
}
