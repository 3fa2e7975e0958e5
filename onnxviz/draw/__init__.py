"""Arrays to pictures: feature maps as montages, bands, bars and filmstrips, drawn with numpy and Pillow."""
