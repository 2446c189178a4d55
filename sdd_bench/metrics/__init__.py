"""Arrays to numbers: PSNR, SSIM, MAE, LPIPS and its backbone, and the table of metrics."""
