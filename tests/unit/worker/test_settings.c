/* The sample configuration is one: it parses, and says what the table says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/log.h"
#include "gpu/engine.h"
#include "image/image.h"
#include "workers/settings.h"
#include "workers/vision.h"

static void test_sample_parses(void **state)
{
    (void)state;
    const char *source = getenv("SALLYPORT_SOURCE");
    static struct sp_worker_settings settings;
    struct sp_err err = {0};
    char path[1024];
    snprintf(path, sizeof path, "%s/deploy/worker.yaml", source ? source : ".");
    assert_int_equal(sp_option_defaults(sp_worker_options(), &settings, &err), SP_OK);
    if (sp_option_load(sp_worker_options(), &settings, path, &err) != SP_OK ||
        sp_option_check(sp_worker_options(), &settings, &err) != SP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(settings.backend, SP_BACKEND_AUTO);
    assert_int_equal(settings.log_level, SP_LOG_INFO);
    assert_int_equal(settings.max_batch, 8);
    struct sp_vision_limits vision = sp_vision_limits_default(); /* one default, said in two places */
    assert_true((float)settings.min_enrol_eye_px == vision.min_enrol_eye_px);
    assert_true((float)settings.min_probe_eye_px == vision.min_probe_eye_px);
    assert_int_equal(settings.min_sharpness, vision.min_sharpness);
    assert_int_equal(settings.min_exposure, vision.min_exposure);
    assert_int_equal(settings.min_pose, vision.min_pose);
    struct sp_image_limits image = sp_image_limits_default();
    assert_int_equal(settings.image_min_side, image.min_side_px);
    assert_int_equal(settings.image_max_side, image.max_side_px);
    assert_true((uint64_t)settings.image_max_pixels == image.max_pixels);
    assert_true((size_t)settings.image_max_bytes == image.max_bytes);
}

static void test_choices_are_the_enums(void **state)
{
    (void)state;
    static struct sp_worker_settings settings;
    assert_int_equal(sp_option_defaults(sp_worker_options(), &settings, NULL), SP_OK);
    assert_int_equal(sp_option_set(sp_worker_options(), &settings, "engine.backend=cuda", NULL), SP_OK);
    assert_int_equal(settings.backend, SP_BACKEND_CUDA);
    assert_int_equal(sp_option_set(sp_worker_options(), &settings, "engine.backend=ref", NULL), SP_OK);
    assert_int_equal(settings.backend, SP_BACKEND_REF);
    assert_int_equal(sp_option_set(sp_worker_options(), &settings, "log.level=error", NULL), SP_OK);
    assert_int_equal(settings.log_level, SP_LOG_ERROR);
    assert_int_not_equal(sp_option_set(sp_worker_options(), &settings, "pipeline.credit=0", NULL), SP_OK);
    assert_int_not_equal(sp_option_check(sp_worker_options(), &settings, NULL), SP_OK); /* keys are required */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sample_parses),
                                       cmocka_unit_test(test_choices_are_the_enums)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
