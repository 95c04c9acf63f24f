// SPDX-License-Identifier: Apache-2.0
/* First process: mounts, limits, the scenario that the kernel's command line names, power off. */
#include <fcntl.h>
#include <linux/random.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

#define DESCRIPTORS 40000

static void mount_at(const char *type, const char *where)
{
	mkdir(where, 0755);
	mount(type, where, type, 0, NULL);
}

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		die("loopback");
	close(fd);
}

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		die(path);
	close(fd);
}

/*
 * Credit the kernel with entropy, the same each time: without, whoever asks first for random numbers waits in the kernel for
 * half a second of jitter, which is not what he costs.
 */
static void seed_random(void)
{
	struct {
		struct rand_pool_info info;
		uint32_t data[16];
	} seed = {.info = {.entropy_count = sizeof(seed.data) * 8, .buf_size = sizeof(seed.data)}};
	int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &seed))
		die("random numbers");
	close(fd);
}

/* The value of name= on the kernel's command line. */
static void parameter(const char *name, char *ret_value, size_t len)
{
	static char line[2048];
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	const char *at;

	if (fd >= 0)
		close(fd);
	line[n > 0 ? n : 0] = '\0';
	at = strstr(line, name);
	if (!at)
		die(name);
	at += strlen(name);
	snprintf(ret_value, len, "%.*s", (int)strcspn(at, " \n"), at);
}

int init_main(int argc, char **argv)
{
	struct rlimit files = {DESCRIPTORS, DESCRIPTORS};
	char row[32], workload[32], sample[8];

	(void)argc;
	(void)argv;
	mount_at("proc", "/proc");
	mount_at("sysfs", "/sys");
	mount_at("devtmpfs", "/dev");
	mount_at("tmpfs", "/tmp");
	mount_at("tmpfs", "/run");
	mount_at("tracefs", "/sys/kernel/tracing");
	seed_random();
	setrlimit(RLIMIT_NOFILE, &files);
	set("/proc/sys/kernel/threads-max", "60000");
	set("/proc/sys/kernel/pid_max", "60000");
	set("/proc/sys/vm/max_map_count", "200000");
	set("/proc/sys/net/core/somaxconn", "4096");
	loopback_up();
	parameter("icount.row=", row, sizeof(row));
	parameter("icount.workload=", workload, sizeof(workload));
	parameter("icount.sample=", sample, sizeof(sample));
	if (strcmp(sample, "yes") == 0)
		sample_open();
	scenario_run(row, workload);
	report_text("end", "ok");
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	return 0;
}
