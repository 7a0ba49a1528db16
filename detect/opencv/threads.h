// patrol_one_thread keeps OpenCV on its caller's thread.
void patrol_one_thread(void);
