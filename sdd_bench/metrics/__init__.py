"""Metrics: PSNR, SSIM, MAE, LPIPS and its backbone, optional metrics, and their table."""
