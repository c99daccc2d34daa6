/* Metrics: the Prometheus text, counted under threads, and the real HTTP endpoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/metrics.h"

static void *add_many(void *metric)
{
    for (int i = 0; i < 10000; i++)
        sp_metric_add(metric, 1);
    return NULL;
}

static void test_counts_under_threads(void **state)
{
    (void)state;
    struct sp_metrics *metrics;
    assert_int_equal(sp_metrics_new(&metrics, NULL), SP_OK);
    struct sp_metric *counter = sp_metrics_counter(metrics, "sallyport_x_total", "reason=\"a\"", "x");
    assert_ptr_equal(counter, sp_metrics_counter(metrics, "sallyport_x_total", "reason=\"a\"", "x"));
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, counter), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(sp_metric_value(counter), 40000);
    sp_metrics_free(&metrics);
}

static void test_text(void **state)
{
    (void)state;
    struct sp_metrics *metrics;
    assert_int_equal(sp_metrics_new(&metrics, NULL), SP_OK);
    sp_metric_add(sp_metrics_counter(metrics, "sallyport_a_total", "reason=\"x\"", "A"), 2);
    sp_metric_set(sp_metrics_gauge(metrics, "sallyport_depth", "", "D"), 7);
    sp_metric_add(sp_metrics_counter(metrics, "sallyport_a_total", "reason=\"y\"", "A"), 3);
    struct sp_metric *time = sp_metrics_histogram(metrics, "sallyport_t_seconds", "stage=\"s\"", "T");
    sp_metric_observe(time, 0.004);
    sp_metric_observe(time, 99);
    char *text = sp_metrics_text(metrics);
    assert_non_null(strstr(text, "# TYPE sallyport_a_total counter\nsallyport_a_total{reason=\"x\"} 2\n"
                                 "sallyport_a_total{reason=\"y\"} 3\n"));
    assert_non_null(strstr(text, "sallyport_depth 7\n"));
    assert_non_null(strstr(text, "sallyport_t_seconds_bucket{stage=\"s\",le=\"0.0025\"} 0\n"));
    assert_non_null(strstr(text, "sallyport_t_seconds_bucket{stage=\"s\",le=\"0.005\"} 1\n"));
    assert_non_null(strstr(text, "sallyport_t_seconds_bucket{stage=\"s\",le=\"5\"} 1\n"));
    assert_non_null(strstr(text, "sallyport_t_seconds_bucket{stage=\"s\",le=\"+Inf\"} 2\n"));
    free(text);
    sp_metrics_free(&metrics);
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void get(int port, const char *path, char *ret_answer, size_t capacity)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", path);
    size_t used = 0;
    for (ssize_t got; (got = read(fd, ret_answer + used, capacity - 1 - used)) > 0;)
        used += (size_t)got;
    ret_answer[used] = 0;
    close(fd);
}

static bool is_ready(void *context)
{
    return *(bool *)context;
}

static void test_endpoint(void **state)
{
    (void)state;
    struct sp_metrics *metrics;
    struct sp_health *health;
    struct sp_err err = {0};
    bool ready = false;
    char address[32], answer[4096];
    int port = free_port();
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    assert_int_equal(sp_metrics_new(&metrics, &err), SP_OK);
    sp_metric_add(sp_metrics_counter(metrics, "sallyport_a_total", "", "A"), 5);
    assert_int_equal(sp_health_new(&health, metrics, "127.0.0.1:no", is_ready, &ready, &err), SP_E_INVALID);
    assert_int_equal(sp_health_new(&health, metrics, address, is_ready, &ready, &err), SP_OK);
    get(port, "/readyz", answer, sizeof answer);
    assert_non_null(strstr(answer, " 503 "));
    ready = true;
    get(port, "/readyz", answer, sizeof answer);
    assert_non_null(strstr(answer, " 200 "));
    get(port, "/metrics", answer, sizeof answer);
    assert_non_null(strstr(answer, "sallyport_a_total 5\n"));
    get(port, "/secrets", answer, sizeof answer);
    assert_non_null(strstr(answer, " 404 "));
    sp_health_free(&health);
    sp_metrics_free(&metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_under_threads),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
