"""Grey images: averages over whole numbers of pixels, gradients per pixel, and permitted sizes."""

from __future__ import annotations

import numpy as np
import pytest

from sdd_bench.registration.grey import averaged, check_sizes, gradient, grey, high_pass, texture


def test_averages_leave_out_a_remainder_and_keep_bytes_bytes() -> None:
    image = np.arange(5 * 7 * 3, dtype=np.float32).reshape(5, 7, 3)
    wanted = image[:4, :6].reshape(2, 2, 3, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(averaged(image, 2), wanted, rtol=1e-6)
    assert averaged(image, 1) is image
    whole = averaged(np.array([[10, 20], [30, 41]], np.uint8), 2)
    assert (whole.dtype, whole.tolist()) == (np.uint8, [[25]])


@pytest.mark.parametrize(("kernel_px", "scale"), [(3, 1 / 8), (5, 1 / 128)])
def test_gradients_are_per_pixel_to_the_right_and_downwards(kernel_px: int, scale: float) -> None:
    y, x = np.mgrid[0:20, 0:30].astype(np.float32)
    right, down = gradient(0.5 * x - 0.25 * y, kernel_px, scale)
    inner = (slice(3, -3), slice(3, -3))
    np.testing.assert_allclose(right[inner], 0.5, atol=1e-5)
    np.testing.assert_allclose(down[inner], -0.25, atol=1e-5)
    np.testing.assert_allclose(texture(0.5 * x - 0.25 * y, 1.0)[8:-8, 8:-8], 0.3125, atol=1e-5)


def test_grey_of_light_is_its_luminance() -> None:
    red = np.zeros((1, 1, 3))
    red[..., 0] = 1
    assert grey(red)[0, 0] == pytest.approx(0.299, abs=1e-6)
    assert grey(red, linear=True)[0, 0] == pytest.approx(1.055 * 0.2126 ** (1 / 2.4) - 0.055, abs=1e-6)


def test_a_high_pass_takes_out_brightness_and_leaves_detail() -> None:
    checks = (np.indices((60, 80)).sum(axis=0) % 2).astype(np.float32)
    np.testing.assert_allclose(high_pass(checks + 7), checks - 0.5, atol=0.02)


def test_sizes_that_do_not_fit_are_named_with_their_roles() -> None:
    image = np.zeros((40, 50, 3))
    check_sizes("it", 40, blur=image, sharp=image)
    with pytest.raises(ValueError, match="blur is 50x40, sharp is 50x39: expected one size"):
        check_sizes("it", 40, blur=image, sharp=image[:39])
    with pytest.raises(ValueError, match=r"blur is \(40, 50, 3\), sharp is \(40, 50\): expected one size"):
        check_sizes("it", 40, blur=image, sharp=image[..., 0])
    with pytest.raises(ValueError, match="it needs sides of at least 41 px, not 50x40"):
        check_sizes("it", 41, blur=image, sharp=image)
